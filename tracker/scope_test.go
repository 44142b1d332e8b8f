package tracker_test

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestHandleClosedAsTheScopeEnds: a Close that is in progress then, for less
// than a second, or for ever.
func TestHandleClosedAsTheScopeEnds(t *testing.T) {
	for _, closing := range []time.Duration{10 * time.Millisecond, time.Minute} {
		t.Run(closing.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				c := slowRollback(closing)
				w := watchConnector(t, c)
				ctx, end := w.tracker.Scope(ctx, "job")
				tx := must[*sql.Tx](t)(w.BeginTx(ctx, nil))
				go tx.Rollback()
				synctest.Wait()
				end()
				pass(2 * time.Minute)
				w.events.expect(t)
				w.done(t)
			})
		})
	}
}

// slowRollback is a driver whose rollbacks take their time.
func slowRollback(d time.Duration) *nopdriver.Connector {
	return &nopdriver.Connector{Before: func(_ context.Context, call, _ string) error {
		if call == "rollback" {
			time.Sleep(d) // in a bubble
		}
		return nil
	}}
}

func TestPanicPassesTheEndOfAScope(t *testing.T) {
	w := watch(t)
	func() {
		defer func() {
			if got := recover(); got != "the application's" {
				t.Errorf("recovered %v", got)
			}
		}()
		ctx, end := w.tracker.Scope(ctx, "job")
		defer end()
		must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2"))
		panic("the application's")
	}()
	eventually(t, "the event", func() bool { return slices.Equal(w.events.told(), rowsEnd) })
	w.Close()
}

func TestScopeOfNoTracker(t *testing.T) {
	var none *tracker.Tracker
	closed := watch(t)
	defer closed.DB.Close()
	closed.tracker.Close()
	for name, tr := range map[string]*tracker.Tracker{"nil": none, "closed": closed.tracker} {
		ctx, end := tr.Scope(ctx, "job")
		must[sql.Result](t)(closed.ExecContext(ctx, "insert"))
		end()
		if ctx.Err() == nil {
			t.Errorf("%s: the context goes on", name)
		}
	}
}

// TestScopeOfAnotherTracker: a DB's handles belong to its own tracker's scope,
// however contexts are nested.
func TestScopeOfAnotherTracker(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		a, b := watch(t), watch(t)
		ctx, endA := a.tracker.Scope(ctx, "a")
		ctx, endB := b.tracker.Scope(ctx, "b")
		must[*sql.Rows](t)(a.QueryContext(ctx, "rows 2"))
		open := a.tracker.Snapshot().Open
		if i := slices.IndexFunc(open, func(f tracker.Finding) bool { return f.Kind == tracker.KindRows }); open[i].Scope != "a" {
			t.Errorf("scope %q", open[i].Scope)
		}
		must[*sql.Conn](t)(b.Conn(tracker.LongLived(ctx, "for ever")))
		endA()
		synctest.Wait()
		a.events.expect(t, rowsEnd...)
		endB()
		pass(time.Hour)
		b.events.expect(t)
		a.Close()
		b.Close()
	})
}

// TestScopeOutlivesABubble: what was opened in a bubble, whose channels may not
// be touched from outside, doesn't end with a scope of real time.
func TestScopeOutlivesABubble(t *testing.T) {
	w := watch(t)
	ctx, end := w.tracker.Scope(ctx, "outside")
	var conn *sql.Conn
	synctest.Test(t, func(t *testing.T) {
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Hour)
		t.Cleanup(func() { _ = cancel }) // not before the scope ends
		conn = must[*sql.Conn](t)(w.Conn(own))
	})
	end()
	w.events.expect(t)
	conn.Close()
	w.done(t)
}

// TestScopeHidesNoStuckGoroutine: rows that were to outlive a scope and were
// dropped are as stuck as others.
func TestScopeHidesNoStuckGoroutine(t *testing.T) {
	stuck := pprof.Lookup("goroutineleak")
	if stuck == nil {
		t.Skip("this version of Go has no profile of stuck goroutines")
	}
	waiting := func() (total int) {
		var b strings.Builder
		if err := stuck.WriteTo(&b, 1); err != nil {
			t.Fatal(err)
		}
		for part := range strings.SplitSeq(b.String(), "\n\n") { // equal stacks are one, with their number
			n := 0
			if strings.Contains(part, "database/sql.(*Rows).awaitDone+") {
				if i := strings.LastIndex(part, " @ "); i >= 0 {
					fmt.Sscan(part[strings.LastIndexByte(part[:i], '\n')+1:i], &n)
				}
			}
			total += n
		}
		return total
	}
	w, others := watch(t), waiting()
	func() {
		ctx, end := w.tracker.Scope(ctx, "job")
		defer end()
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		_ = cancel // dropped
		must[*sql.Rows](t)(w.QueryContext(own, "rows 2")).Next()
	}()
	eventually(t, "the goroutine is stuck", func() bool { return waiting() == others+1 })
	w.Close()
	runtime.KeepAlive(w)
}

// TestInnocentScopes: what ends just before, as, or after its scope does, in
// whatever way is allowed, is never blamed.
func TestInnocentScopes(t *testing.T) {
	w := watch(t)
	w.SetMaxOpenConns(20)
	ways := []func(t *testing.T, ctx context.Context, later *sync.WaitGroup){
		func(t *testing.T, ctx context.Context, _ *sync.WaitGroup) {
			must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2")).Close()
		},
		func(t *testing.T, ctx context.Context, _ *sync.WaitGroup) { // closed by its own context
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2")).Next()
		},
		func(t *testing.T, ctx context.Context, _ *sync.WaitGroup) {
			ctx, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			tx := must[*sql.Tx](t)(w.BeginTx(ctx, nil))
			must[*sql.Rows](t)(tx.Query("rows 2"))
		},
		func(t *testing.T, ctx context.Context, later *sync.WaitGroup) { // given to others
			tx := must[*sql.Tx](t)(w.BeginTx(context.WithoutCancel(ctx), nil))
			later.Go(func() {
				if err := tx.Commit(); err != nil {
					t.Error(err)
				}
			})
		},
		func(t *testing.T, ctx context.Context, later *sync.WaitGroup) {
			conn := must[*sql.Conn](t)(w.Conn(tracker.LongLived(ctx, "handed on")))
			later.Go(func() { conn.Close() })
		},
		func(t *testing.T, ctx context.Context, _ *sync.WaitGroup) {
			conn := must[*sql.Conn](t)(w.Conn(ctx))
			defer conn.Close()
			stmt := must[*sql.Stmt](t)(conn.PrepareContext(ctx, "rows 2"))
			defer stmt.Close()
			must[*sql.Rows](t)(stmt.QueryContext(ctx)).Close()
		},
	}
	var all, later sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 200 {
				func() {
					ctx, end := w.tracker.Scope(ctx, "innocent")
					defer end()
					ways[(i+j)%len(ways)](t, ctx, &later)
				}()
			}
		})
	}
	all.Wait()
	later.Wait()
	eventually(t, "all is given back", func() bool { return w.Stats().InUse == 0 })
	w.done(t)
	w.events.expect(t)
	if n := w.tracker.Snapshot().Totals; n != (tracker.Totals{}) {
		t.Errorf("totals %+v", n)
	}
}

// TestScopesInParallel: many scopes on one DB, half of which leak; each is
// told of once, under its name.
func TestScopesInParallel(t *testing.T) {
	w := watch(t, hasty)
	w.SetMaxOpenConns(8)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			ctx, end := w.tracker.Scope(ctx, fmt.Sprint("scope ", i))
			defer end()
			rows := must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2"))
			if i%2 == 0 {
				defer rows.Close()
			}
		})
	}
	all.Wait()
	eventually(t, "all are recovered", func() bool {
		return w.tracker.Snapshot().Totals == tracker.Totals{Reported: 100, Overdue: 100, Recovered: 100}
	})
	w.events.expect(t, rowsEnd...)
	w.done(t)
}
