package tracker_test

import (
	"context"
	"database/sql"
	"regexp"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestGuardPutsLabelsBack: the application's labels are there under the guard,
// and alone afterwards.
func TestGuardPutsLabelsBack(t *testing.T) {
	w := watch(t)
	defer w.Close()
	labels := func() string {
		var b strings.Builder
		if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
			t.Fatal(err)
		}
		// The profile writes the labels in front of the stack.
		for part := range strings.SplitSeq(b.String(), "\n\n") {
			if strings.Contains(part, "TestGuardPutsLabelsBack.func") {
				return regexp.MustCompile(`# labels: .*`).FindString(part)
			}
		}
		return ""
	}
	pprof.Do(ctx, pprof.Labels("tenant", "7"), func(context.Context) {
		f := newFakeTest()
		w.tracker.Guard(f)
		if got := labels(); !regexp.MustCompile(`"dbleaks.guard":"\d+".*"tenant":"7"`).MatchString(got) {
			t.Errorf("under the guard: %s", got)
		}
		f.end()
		if got, want := labels(), `# labels: {"tenant":"7"}`; got != want {
			t.Errorf("afterwards %s, want %s", got, want)
		}
	})
}

// TestGuardWaits for handles that are on their way, and for cleanups that wait
// for its context.
func TestGuardWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		f := newFakeTest()
		guarded := w.tracker.Guard(f)
		waits := make(chan struct{})
		go func() {
			defer close(waits)
			<-guarded.Done()
		}()
		f.Cleanup(func() { <-waits })
		tx := must[*sql.Tx](t)(w.Begin())
		f.Cleanup(func() {
			go func() {
				time.Sleep(tracker.DefaultGrace + 400*time.Millisecond)
				tx.Rollback()
			}()
		})
		f.end()
		if f.messages != nil {
			t.Errorf("said %q", f.String())
		}
		w.done(t)
	})
}

// TestGuardFreesThePool: what a test has left open with the guard's context
// is no burden for the tests after it.
func TestGuardFreesThePool(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		f := newFakeTest()
		guarded := w.tracker.Guard(f)
		tx := must[*sql.Tx](t)(w.BeginTx(guarded, nil))
		f.end()
		if !contains(f.String(), append(oneLeak, "tx LEAKED (still open at assert)")...) {
			t.Errorf("said %q", f.String())
		}
		synctest.Wait()
		if err := tx.Commit(); err != sql.ErrTxDone || w.Stats().InUse != 0 {
			t.Errorf("the commit gives %v, %d connections are in use", err, w.Stats().InUse)
		}
		w.done(t)
		if record.TermsOf(guarded).Scope.Open() {
			t.Error("the guard still counts handles")
		}
	})
}

// TestGuardAndBusyConnections: whether a statement was closed is known once
// its connection has been released, and not before.
func TestGuardAndBusyConnections(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		closed, released, say bool
	}{
		{"open", false, true, true},
		{"closed", true, true, false},
		{"open, the connection is never released", false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watch(t)
				w.SetMaxOpenConns(1)
				start, stop := make(chan bool), make(chan bool)
				go func() { // others, whose connection the statement is on
					<-start
					for {
						conn := must[*sql.Conn](t)(w.Conn(ctx))
						select {
						case <-time.After(100 * time.Millisecond):
							if tt.released {
								conn.Close()
								continue
							}
							<-stop
						case <-stop:
						}
						conn.Close()
						return
					}
				}()
				f := newFakeTest()
				w.tracker.Guard(f)
				stmt := must[*sql.Stmt](t)(w.Prepare("insert"))
				close(start)
				synctest.Wait() // the connection is theirs
				if tt.closed {
					stmt.Close()
				}
				f.end()
				if want := "stmt LEAKED (still open at assert)"; tt.say != strings.Contains(f.String(), want) || !tt.say && f.messages != nil {
					t.Errorf("said %q", f.String())
				}
				close(stop)
				synctest.Wait()
				stmt.Close()
				w.done(t)
			})
		})
	}
}

// TestGuardInABubble: a guard of a test in a bubble, with a DB of real time.
func TestGuardInABubble(t *testing.T) {
	w := watch(t)
	f := newFakeTest()
	synctest.Test(t, func(t *testing.T) {
		w.tracker.Guard(f)
		leakRow(w.DB)
		f.end()
	})
	if !contains(f.String(), append(oneLeak, "row LEAKED")...) {
		t.Errorf("said %q", f.String())
	}
	w.Close()
}
