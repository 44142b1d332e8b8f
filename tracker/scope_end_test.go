package tracker_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// scopeRun is what one scope of a test does, and what is said of it.
type scopeRun struct {
	name string
	run  func(t *testing.T, ctx context.Context, w *watched) (cleanUp func())
	// want are the events, at the end of the scope, and those that come
	// later.
	want, later []string
}

var rowsEnd = []string{"scope_end rows×1"}

// TestScopeEnd holds what is said of what a scope leaves open.
func TestScopeEnd(t *testing.T) {
	for _, tt := range []scopeRun{
		{"nothing", func(t *testing.T, ctx context.Context, w *watched) func() {
			must[sql.Result](t)(w.ExecContext(ctx, "insert"))
			must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2")).Close()
			return nil
		}, nil, nil},
		{"rows", func(t *testing.T, ctx context.Context, w *watched) func() {
			must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2")).Next()
			return nil
		}, rowsEnd, []string{"recovered rows×1"}},
		{"a row", func(t *testing.T, ctx context.Context, w *watched) func() {
			w.QueryRowContext(ctx, "rows 2")
			return nil
		}, []string{"scope_end row×1"}, []string{"recovered row×1"}},
		{"rows of a derived context", func(t *testing.T, ctx context.Context, w *watched) func() {
			ctx, cancel := context.WithTimeout(tracker.WithThreshold(ctx, time.Hour), time.Hour)
			must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2"))
			return cancel
		}, rowsEnd, []string{"recovered rows×1"}},
		{"a transaction with rows", func(t *testing.T, ctx context.Context, w *watched) func() {
			tx := must[*sql.Tx](t)(w.BeginTx(ctx, nil))
			must[*sql.Rows](t)(tx.Query("rows 2"))
			return nil
		}, []string{"scope_end tx×1"}, []string{"recovered tx×1"}},
		{"three of one line", func(t *testing.T, ctx context.Context, w *watched) func() {
			for range 3 {
				must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2"))
			}
			return nil
		}, []string{"scope_end rows×3"}, []string{"recovered rows×3"}},
		{"a connection", func(t *testing.T, ctx context.Context, w *watched) func() {
			conn := must[*sql.Conn](t)(w.Conn(ctx))
			return func() { conn.Close() }
		}, []string{"scope_end conn×1"}, []string{"recovered conn×1"}},
		{"a transaction on a connection", func(t *testing.T, ctx context.Context, w *watched) func() {
			conn := must[*sql.Conn](t)(w.Conn(ctx))
			must[*sql.Tx](t)(conn.BeginTx(ctx, nil))
			return func() { conn.Close() }
		}, []string{"scope_end conn×1"}, []string{"recovered conn×1"}},
		{"a transaction on a connection of nobody's", func(t *testing.T, ctx context.Context, w *watched) func() {
			conn := must[*sql.Conn](t)(w.Conn(context.WithoutCancel(t.Context())))
			must[*sql.Tx](t)(conn.BeginTx(ctx, nil))
			return func() { conn.Close() }
		}, []string{"scope_end tx×1"}, []string{"recovered tx×1"}},
		{"long-lived", func(t *testing.T, ctx context.Context, w *watched) func() {
			conn := must[*sql.Conn](t)(w.Conn(tracker.LongLived(ctx, "listens")))
			return func() { conn.Close() }
		}, nil, nil},
		{"a transaction that outlives it on purpose", func(t *testing.T, ctx context.Context, w *watched) func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Hour)
			tx := must[*sql.Tx](t)(w.BeginTx(ctx, nil))
			return func() {
				if err := tx.Commit(); err != nil {
					t.Error(err)
				}
				cancel()
			}
		}, nil, nil},
		{"a context that was over before", func(t *testing.T, ctx context.Context, w *watched) func() {
			ctx, cancel := context.WithCancel(ctx)
			must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2"))
			must[*sql.Tx](t)(w.BeginTx(ctx, nil))
			cancel() // database/sql has not come round to it when the scope ends
			return nil
		}, nil, nil},
		{"a connection whose context was over before", func(t *testing.T, ctx context.Context, w *watched) func() {
			ctx, cancel := context.WithCancel(ctx)
			conn := must[*sql.Conn](t)(w.Conn(ctx))
			cancel()
			return func() { conn.Close() }
		}, nil, []string{"scope_end conn×1", "recovered conn×1"}},
		{"a statement, which may be a cache's", func(t *testing.T, ctx context.Context, w *watched) func() {
			stmt := must[*sql.Stmt](t)(w.PrepareContext(ctx, "insert"))
			return func() { stmt.Close() }
		}, nil, nil},
		{"a statement whose connection is gone", func(t *testing.T, ctx context.Context, w *watched) func() {
			stmt := must[*sql.Stmt](t)(w.PrepareContext(ctx, "insert"))
			w.SetMaxIdleConns(-1)
			return func() { stmt.Close() }
		}, nil, nil},
		{"a statement of a scope inside", func(t *testing.T, ctx context.Context, w *watched) func() {
			var stmts []*sql.Stmt
			for range 3 {
				ctx, end := w.tracker.Scope(ctx, "inner")
				stmts = append(stmts, must[*sql.Stmt](t)(w.PrepareContext(ctx, "insert")))
				end()
				synctest.Wait()
			}
			w.events.expect(t, "scope_end stmt×2")
			return func() {
				for _, s := range stmts {
					s.Close()
				}
			}
		}, []string{"scope_end stmt×2"}, []string{"recovered stmt×2"}},
		{"statements of scopes inside, on busy connections", func(t *testing.T, ctx context.Context, w *watched) func() {
			var busy []*sql.Rows
			for range 3 {
				ctx, end := w.tracker.Scope(ctx, "inner")
				s := must[*sql.Stmt](t)(w.PrepareContext(ctx, "rows 2"))
				busy = append(busy, must[*sql.Rows](t)(s.Query()))
				s.Close() // told to the driver when the rows are closed
				end()
			}
			return func() {
				for _, r := range busy {
					r.Close()
				}
			}
		}, nil, nil},
		{"a scope inside, which was told of", func(t *testing.T, ctx context.Context, w *watched) func() {
			inner, end := w.tracker.Scope(ctx, "inner")
			conn := must[*sql.Conn](t)(w.Conn(inner))
			end()
			return func() { conn.Close() }
		}, []string{"scope_end conn×1"}, []string{"recovered conn×1"}},
		{"what was overdue before", func(t *testing.T, ctx context.Context, w *watched) func() {
			must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2"))
			pass(45 * time.Second)
			w.events.expect(t, "overdue rows×1")
			return nil
		}, []string{"overdue rows×1"}, []string{"recovered rows×1"}},
	} {
		t.Run(tt.name, func(t *testing.T) { inBubble(t, tt.test) })
	}
}

func (tt scopeRun) test(t *testing.T) {
	w := watch(t)
	ctx, end := w.tracker.Scope(ctx, "outer")
	cleanUp := tt.run(t, ctx, w)
	end()
	end()
	if ctx.Err() != context.Canceled {
		t.Error("the scope's context has no end")
	}
	synctest.Wait()
	w.events.expect(t, tt.want...)
	pass(scopeGrace)
	if cleanUp != nil {
		cleanUp()
	}
	pass(2 * time.Minute)
	w.events.expect(t, slices.Concat(tt.want, tt.later)...)
	if n := w.tracker.Snapshot().Totals.Leaked; n != 0 {
		t.Errorf("%d handles are called leaked", n)
	}
	w.done(t)
	if record.TermsOf(ctx).Scope.Open() {
		t.Error("the scope still counts handles")
	}
}

// scopeGrace is a little more than what is granted to handles that are just
// being given back.
const scopeGrace = time.Second + time.Millisecond

func TestScopeFinding(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		ctx, end := w.tracker.Scope(ctx, "GET /orders")
		conn := must[*sql.Conn](t)(w.Conn(ctx))
		stmt := must[*sql.Stmt](t)(w.PrepareContext(tracker.LongLived(ctx, "cache"), "insert"))
		rows := must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2"))
		open := w.tracker.Snapshot().Open
		for _, f := range open {
			if f.Kind != tracker.KindDB && f.Scope != "GET /orders" {
				t.Errorf("no scope in %v", f)
			}
		}
		end()
		synctest.Wait()
		if rows.Next() {
			t.Error("the rows go on")
		}
		s := w.tracker.Snapshot()
		if len(s.Findings) != 1 || s.Findings[0].Kind != tracker.KindConn || s.Findings[0].State != tracker.StateOverdue {
			t.Fatalf("findings %v", s.Findings)
		}
		text := s.Findings[0].String()
		for _, part := range []string{
			"conn OVERDUE", "still open at the end of scope GET /orders", "scope   GET /orders",
			"add `defer conn.Close()`", "the end of its scope doesn't close a conn",
		} {
			if !strings.Contains(text, part) {
				t.Errorf("no %q in %s", part, text)
			}
		}
		pass(10 * time.Second)
		s = w.tracker.Snapshot()
		if len(s.Ended) != 1 || s.Ended[0].Finding.Kind != tracker.KindRows || s.Ended[0].Count != 1 {
			t.Errorf("ended %+v", s.Ended)
		}
		if want := (tracker.Totals{Reported: 2, Overdue: 2, Recovered: 1}); s.Totals != want {
			t.Errorf("totals %+v, want %+v", s.Totals, want)
		}
		stmt.Close()
		conn.Close()
		w.done(t)
	})
}

// TestScopesThatLeakAllTheTime: one finding, whose events don't come as often
// as the requests.
func TestScopesThatLeakAllTheTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		for i := range 1000 {
			ctx, end := w.tracker.Scope(ctx, fmt.Sprint("request ", i))
			must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2"))
			end()
			pass(time.Second)
		}
		pass(time.Hour)
		told := w.events.told()
		if len(told) < 4 || len(told) > 7 || told[0] != "scope_end rows×1" || told[len(told)-1] != "recovered rows×1" {
			t.Errorf("events %q", told)
		}
		if last := w.events.events[len(told)-1]; last.Recovered != 1000 {
			t.Errorf("%d recovered", last.Recovered)
		}
		if n := w.tracker.Snapshot().Totals; n != (tracker.Totals{Reported: 1000, Overdue: 1000, Recovered: 1000}) {
			t.Errorf("totals %+v", n)
		}
		w.done(t)
	})
}
