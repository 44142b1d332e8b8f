package tracker_test

import (
	"context"
	"database/sql"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// These tests run in real time: the garbage collector knows no other. The
// smallest interval between sweeps makes them short.
var hasty = tracker.WithKindThreshold(tracker.KindRows, time.Second)

//go:noinline
func leakRows(t *testing.T, db *sql.DB) {
	rows := must[*sql.Rows](t)(db.Query("rows 9"))
	rows.Next()
}

//go:noinline
func leakRow(db *sql.DB) { db.QueryRow("rows 9") }

func TestUnreachableRowsAreLeaked(t *testing.T) {
	w := watch(t, hasty)
	for range 3 {
		leakRows(t, w.DB)
	}
	leakRow(w.DB)
	kept := must[*sql.Rows](t)(w.Query("rows 9"))
	cancellable, cancel := context.WithCancel(ctx)
	watched := must[*sql.Rows](t)(w.QueryContext(cancellable, "rows 9"))

	eventually(t, "both sites leaked", func() bool { return w.tracker.Snapshot().Totals.Leaked == 4 })
	eventually(t, "the rows that are kept are overdue", func() bool { return w.tracker.Snapshot().Totals.Overdue >= 2 })
	var got []string
	for _, f := range w.tracker.Snapshot().Findings {
		if f.State != tracker.StateLeaked {
			continue
		}
		_, name, _ := strings.Cut(f.Site.Function, "tracker_test.")
		got = append(got, f.Kind.String()+" "+name+" "+string(f.Proof))
		if f.Leaked != f.Count {
			t.Errorf("%d of %d proven", f.Leaked, f.Count)
		}
	}
	if want := []string{"rows leakRows unreachable", "row leakRow unreachable"}; !slices.Equal(got, want) {
		t.Errorf("leaked: %q, want %q", got, want)
	}
	leaked := 0
	for _, told := range w.events.told() {
		if strings.HasPrefix(told, "leaked ") {
			leaked++
		}
	}
	if leaked != 2 {
		t.Errorf("%d leaked events, want one for each line: %q", leaked, w.events.told())
	}
	if err := kept.Close(); err != nil {
		t.Error(err)
	}
	cancel()
	eventually(t, "the watcher closed its rows", func() bool { return w.Stats().InUse == 4 })
	if watched.Next() {
		t.Error("rows go on after their context")
	}
	// Closing the DB helps nobody: the connections stay in use.
	w.Close()
	r := w.tracker.Close()
	if len(r.Findings) != 2 || r.Findings[0].Count != 3 || r.Findings[0].Proof != tracker.ProofUnreachable {
		t.Errorf("exit report:\n%s", r)
	}
}

func TestLeakInsideAConnTakesTheBlame(t *testing.T) {
	w := watch(t, hasty)
	conn := must[*sql.Conn](t)(w.Conn(ctx))
	func() {
		rows := must[*sql.Rows](t)(conn.QueryContext(ctx, "rows 9"))
		rows.Next()
	}()
	eventually(t, "the rows are leaked", func() bool { return w.tracker.Snapshot().Totals.Leaked == 1 })
	f := w.tracker.Snapshot().Findings
	if len(f) != 1 || f[0].Kind != tracker.KindRows || f[0].State != tracker.StateLeaked {
		t.Errorf("findings %v", f)
	}
	if err := conn.PingContext(ctx); err != nil { // conn is alive, and innocent
		t.Error(err)
	}
}

func TestReachableOnlyThroughAFinalizerIsNoLeak(t *testing.T) {
	w := watch(t, hasty)
	type owner struct{ rows *sql.Rows }
	closed := make(chan error, 1)
	func() {
		o := &owner{must[*sql.Rows](t)(w.Query("rows 9"))}
		setFinalizer(o, func(o *owner) { closed <- o.rows.Close() })
	}()
	eventually(t, "the finalizer closed the rows", func() bool { return w.Stats().InUse == 0 })
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if n := w.tracker.Snapshot().Totals.Leaked; n != 0 {
		t.Errorf("%d handles were called leaked", n)
	}
	w.done(t)
}

func TestStatementGrowth(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		busy := must[*sql.Tx](t)(w.BeginTx(tracker.LongLived(ctx, "keeps the pool swept"), nil))
		cache := make(map[string]*sql.Stmt)
		for _, text := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
			cache[text] = must[*sql.Stmt](t)(w.Prepare(text)) // one line, many texts, once each
			pass(5 * time.Second)
		}
		for range 12 { // prepared and closed: live for a while
			s := must[*sql.Stmt](t)(w.Prepare("select 1"))
			pass(5 * time.Second)
			s.Close()
		}
		w.events.expect(t)
		var leaked []*sql.Stmt
		for range 12 {
			leaked = append(leaked, must[*sql.Stmt](t)(w.Prepare("select 2")))
			pass(5 * time.Second)
		}
		w.events.expect(t, "overdue stmt×8")
		f := w.tracker.Snapshot().Findings
		if len(f) != 1 || f[0].Count != 12 || !strings.HasPrefix(f[0].Reason, "growing: ") {
			t.Errorf("findings %v", f)
		}
		for _, s := range leaked {
			s.Close()
		}
		pass(10 * time.Second)
		w.events.expect(t, "overdue stmt×8", "recovered stmt×12")
		for _, s := range cache {
			s.Close()
		}
		busy.Rollback()
		w.done(t)
	})
}

func TestDBGrowth(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		var dbs []*watched
		for range 6 {
			dbs = append(dbs, again(w))
			must[sql.Result](t)(dbs[len(dbs)-1].Exec("insert"))
			pass(10 * time.Second)
		}
		f := w.tracker.Snapshot().Findings
		if len(f) != 1 || f[0].Kind != tracker.KindDB || f[0].Count != 6 || !strings.Contains(f[0].Site.Function, "again") {
			t.Errorf("findings %v", f)
		}
		overdue := 0
		for _, p := range w.tracker.Snapshot().Pools {
			overdue += p.Overdue
		}
		if overdue != 6 {
			t.Errorf("%d of the pools are overdue, want 6", overdue)
		}
		for _, db := range dbs {
			db.Close()
		}
		pass(10 * time.Second)
		for range 6 { // opened and closed: fine
			db := again(w)
			must[sql.Result](t)(db.Exec("insert"))
			pass(10 * time.Second)
			db.Close()
		}
		w.events.expect(t, "overdue db×4", "recovered db×6")
		if n := w.tracker.Snapshot().Totals; n != (tracker.Totals{Reported: 6, Overdue: 6}) {
			t.Errorf("%+v, want 6 DBs reported as overdue", n)
		}
		w.done(t)
	})
}

// A closed *sql.Rows that somebody still has, for a deferred Close or in a field,
// hides no leak of those that come after it on its connection.
func TestClosedRowsThatAreKeptHideNoLeak(t *testing.T) {
	w := watch(t, hasty)
	w.SetMaxOpenConns(1)
	warm := must[*sql.Rows](t)(w.Query("rows 9")) // the pool learns that connections come back
	warm.Close()
	settings := must[*sql.Rows](t)(w.Query("rows 9"))
	defer settings.Close()
	for settings.Next() {
	}
	leakRows(t, w.DB)
	eventually(t, "the rows are leaked", func() bool { return w.tracker.Snapshot().Totals.Leaked == 1 })
	runtime.KeepAlive(settings)
}
