package tracker_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func needLeakProfile(t testing.TB) {
	t.Helper()
	if pprof.Lookup("goroutineleak") == nil {
		t.Skip("this Go has no goroutine-leak profile: it takes Go 1.27, or GOEXPERIMENT=goroutineleakprofile")
	}
}

// forgotten is a context that nothing in the program can cancel, but for the
// test when it is over. What was begun with it refers to it, nobody else.
type forgotten struct {
	context.Context
	cancel context.CancelFunc
}

//go:noinline
func forget(t *testing.T) context.Context {
	inner, cancel := context.WithCancel(ctx)
	f := &forgotten{inner, cancel}
	free(t, f, func(f *forgotten) { f.cancel() })
	return f
}

// free arranges for something that may be stuck for ever to be freed at the
// end of the test, without keeping it until then. The runtime throws at who
// wakes a goroutine that it has called leaked; another profile takes that
// back, as it is no longer true.
func free[T any](t *testing.T, stuck *T, how func(*T)) {
	w := weak.Make(stuck)
	t.Cleanup(func() {
		if stuck := w.Value(); stuck != nil {
			_ = pprof.Lookup("goroutineleak").WriteTo(io.Discard, 1)
			how(stuck)
		}
	})
}

//go:noinline
func dropTx(t *testing.T, db interface {
	BeginTx(context.Context, *sql.TxOptions) (*sql.Tx, error)
}) {
	must[*sql.Tx](t)(db.BeginTx(forget(t), nil))
}

// proven asks for proofs until as many handles are leaked.
func (w *watched) proven(t *testing.T, n int) []tracker.Finding {
	t.Helper()
	leaked := func() (found []tracker.Finding) {
		for _, f := range w.tracker.Snapshot().Findings {
			if f.State == tracker.StateLeaked {
				found = append(found, f)
			}
		}
		return found
	}
	eventually(t, fmt.Sprintf("%d handles are proven", n), func() bool {
		if !w.tracker.Prove() {
			t.Fatal("can't prove anything")
		}
		sum := 0
		for _, f := range leaked() {
			sum += f.Leaked
		}
		return sum >= n
	})
	return leaked()
}

func TestProve(t *testing.T) {
	needLeakProfile(t)
	for _, tt := range []struct {
		name string
		leak func(t *testing.T, w *watched)
		want string // kind, function, reason
		more []string
	}{
		{"a dropped transaction", func(t *testing.T, w *watched) { dropTx(t, w) },
			"tx dropTx dropped: ", nil},
		{"a dropped transaction with rows", func(t *testing.T, w *watched) {
			tx := must[*sql.Tx](t)(w.BeginTx(forget(t), nil))
			must[*sql.Rows](t)(tx.Query("rows 9")).Next()
		}, "tx TestProve.func2 dropped: ", []string{"1 rows"}},
		{"a dropped transaction on a connection that is kept", func(t *testing.T, w *watched) {
			conn := must[*sql.Conn](t)(w.Conn(ctx))
			t.Cleanup(func() { conn.Close() })
			dropTx(t, conn)
		}, "tx dropTx dropped: ", nil},
		{"rows of a context that nobody can cancel", func(t *testing.T, w *watched) {
			must[*sql.Rows](t)(w.QueryContext(forget(t), "rows 9")).Next()
		}, "rows TestProve.func4 dropped: ", nil},
		{"rows of a producer that nobody listens to", func(t *testing.T, w *watched) { abandon(t, w.DB) },
			"rows abandon.func2 goroutine ", []string{"which opened it, is blocked for ever (chan send) in", "abandon.func2", "give what is waited for at /"}},
		{"a Close that waits for its own transaction", func(t *testing.T, w *watched) {
			go func() {
				conn, _ := w.Conn(ctx)
				defer conn.Close()
				conn.BeginTx(forget(t), nil)
			}()
		}, "tx TestProve.func6.1 goroutine ", []string{"is blocked for ever (sync."}},
		{"a dropped DB", func(t *testing.T, w *watched) {
			must[sql.Result](t)(dropDB(w).Exec("insert"))
		}, "db dropDB dropped: ", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watch(t)
			tt.leak(t, w)
			found := w.proven(t, 1)
			if len(found) != 1 || found[0].Proof != tracker.ProofGoroutineLeak {
				t.Fatalf("found %v", found)
			}
			f := found[0]
			_, function, _ := strings.Cut(f.Site.Function, "tracker_test.")
			if got := fmt.Sprintf("%v %s %s", f.Kind, function, f.Reason); !strings.HasPrefix(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
			text := f.String()
			for _, c := range f.Children {
				text += fmt.Sprintf("%d %v", c.Count, c.Kind)
			}
			if !contains(text, tt.more...) {
				t.Errorf("want %q in it:\n%s", tt.more, text)
			}
			keep(t, w)
		})
	}
}

func dropDB(w *watched) *sql.DB {
	return driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(w.tracker), driverwrap.WithName("other"))
}

// abandon starts a producer that waits for ever.
func abandon(t *testing.T, db *sql.DB) {
	type out struct{ ch chan int }
	o := &out{make(chan int)}
	free(t, o, func(o *out) { <-o.ch })
	go func() {
		rows, err := db.Query("rows 1")
		if err != nil {
			return
		}
		defer rows.Close()
		o.ch <- 1
	}()
}

// TestProveTellsWhich drops one of the transactions that one goroutine began
// at one line.
func TestProveTellsWhich(t *testing.T) {
	needLeakProfile(t)
	w := watch(t)
	var kept []*sql.Tx
	for i := range 7 {
		tx := must[*sql.Tx](t)(w.BeginTx(forget(t), nil))
		if i != 4 {
			kept = append(kept, tx)
		}
	}
	found := w.proven(t, 1)
	for range 3 {
		w.tracker.Prove()
	}
	if len(found) != 1 || found[0].Count != 1 {
		t.Errorf("found %v", found)
	}
	for _, tx := range kept {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
	if s := w.tracker.Snapshot(); s.Totals.Leaked != 0 && s.Totals.Leaked != 1 || s.Totals.Recovered != 0 {
		t.Errorf("totals %+v", s.Totals)
	}
}

func TestProofAtAssertAndExit(t *testing.T) {
	needLeakProfile(t)
	w := watch(t)
	dropTx(t, w)
	var tb fakeTB
	w.tracker.AssertNoLeaks(&tb)
	if !contains(tb.String(), "tx LEAKED (goroutine leak)") {
		t.Errorf("said %q", tb.String())
	}
	w = watch(t)
	dropTx(t, w)
	if text := w.tracker.Close().String(); !contains(text, "tx LEAKED (goroutine leak)") {
		t.Errorf("at exit: %q", text)
	}
}

// TestUnusedConnectorIsNoLeak: a connector that no DB was opened with is
// garbage, not a DB that was dropped.
func TestUnusedConnectorIsNoLeak(t *testing.T) {
	needLeakProfile(t)
	w := watch(t)
	driverwrap.WrapConnector(&nopdriver.Connector{}, driverwrap.WithTracker(w.tracker))
	for range 10 {
		w.tracker.Prove()
	}
	if f := w.tracker.Snapshot().Findings; len(f) > 0 {
		t.Errorf("findings %v", f)
	}
}

func TestNoProofInABubble(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		tx := must[*sql.Tx](t)(w.Begin())
		if w.tracker.Prove() {
			t.Error("a proof in a bubble")
		}
		pass(time.Hour)
		if n := w.tracker.Snapshot().Totals.Leaked; n != 0 {
			t.Errorf("%d leaked", n)
		}
		tx.Rollback()
		w.done(t)
	})
}

// TestBubblesAreOutOfProof: proofs from outside of a bubble leave alone what
// is inside.
func TestBubblesAreOutOfProof(t *testing.T) {
	needLeakProfile(t)
	var w *watched
	ask, asked := make(chan struct{}), make(chan struct{})
	go func() {
		<-ask
		for range 10 {
			w.tracker.Prove()
		}
		close(asked)
	}()
	inBubble(t, func(t *testing.T) {
		w = watch(t)
		tx := must[*sql.Tx](t)(w.Begin())
		close(ask)
		<-asked
		if f := w.tracker.Snapshot().Findings; len(f) > 0 {
			t.Errorf("findings %v", f)
		}
		tx.Rollback()
		w.Close()
	})
}

func TestProofIntervalMustNotBeNegative(t *testing.T) {
	if _, err := tracker.New(tracker.WithProofInterval(-1)); err == nil || !strings.Contains(err.Error(), "WithProofInterval(-1ns)") {
		t.Errorf("error %v", err)
	}
}

func TestLeakProfileIsAbsent(t *testing.T) {
	if pprof.Lookup("goroutineleak") != nil {
		t.Skip("this Go has the goroutine-leak profile")
	}
	w := watch(t)
	if w.tracker.Prove() || w.tracker.Snapshot().LeakProfile != (tracker.LeakProfile{}) {
		t.Error("a proof without the profile")
	}
	w.done(t)
}

// A transaction that is over, and that somebody still has, hides no leak of the
// one that comes after it on its connection.
func TestDoneTxThatIsKeptHidesNoLeak(t *testing.T) {
	needLeakProfile(t)
	w := watch(t, hasty)
	w.SetMaxOpenConns(1)
	warm := must[*sql.Tx](t)(w.Begin())
	warm.Commit()
	tx := must[*sql.Tx](t)(w.Begin())
	defer tx.Rollback()
	tx.Commit()
	dropTx(t, w)
	w.proven(t, 1)
	runtime.KeepAlive(tx)
}
