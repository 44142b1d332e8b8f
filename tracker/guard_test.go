package tracker_test

import (
	"context"
	"database/sql"
	"runtime/pprof"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// fakeTest is a test that may fail, with an end of its own.
type fakeTest struct {
	fakeTB
	ctx      context.Context
	cancel   context.CancelFunc
	cleanups []func()
}

func newFakeTest() *fakeTest {
	f := &fakeTest{}
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f
}

func (f *fakeTest) Name() string             { return "TestFake" }
func (f *fakeTest) Context() context.Context { return f.ctx }
func (f *fakeTest) Cleanup(c func())         { f.cleanups = append(f.cleanups, c) }

func (f *fakeTest) end() {
	f.cancel()
	for _, c := range slices.Backward(f.cleanups) {
		c()
	}
}

var oneLeak = []string{"dbleaks: 1 handle was not given back\n", "scope   TestFake"}

// TestGuard holds what is said of what a test leaves open.
func TestGuard(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts []tracker.AssertOption
		// run is the guarded test. It may use other, which isn't.
		run  func(t *testing.T, ctx context.Context, w *watched, other *pipe)
		want []string // in the message; none if there is to be none
	}{
		{"nothing", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			must[*sql.Rows](t)(w.Query("rows 2")).Close()
			must[sql.Result](t)(w.ExecContext(ctx, "insert"))
		}, nil},
		{"by its goroutine", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			leakRows(t, w.DB)
		}, append(oneLeak, "rows LEAKED (unreachable)", "tracker_test.leakRows")},
		{"by a goroutine of a goroutine", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			inGoroutine(func() { inGoroutine(func() { must[*sql.Tx](t)(w.Begin()) }) })
		}, append(oneLeak, "tx LEAKED (still open at assert)")},
		{"by a subtest", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			t.Run("sub", func(t *testing.T) { must[*sql.Conn](t)(w.Conn(t.Context())) })
		}, append(oneLeak, "conn LEAKED (still open at assert)")},
		{"by a goroutine that was there, with the context", nil, func(t *testing.T, ctx context.Context, w *watched, other *pipe) {
			other.do(func() { must[*sql.Tx](t)(w.BeginTx(tracker.WithThreshold(ctx, time.Hour), nil)) })
		}, append(oneLeak, "tx LEAKED")},
		{"by a scope with the context", nil, func(t *testing.T, ctx context.Context, w *watched, other *pipe) {
			other.do(func() {
				ctx, end := w.tracker.Scope(ctx, "request")
				defer end()
				must[*sql.Conn](t)(w.Conn(ctx))
			})
		}, []string{"1 handle was not given back\n", "conn LEAKED", "scope   request"}},
		{"taken back by a scope of its own", nil, func(t *testing.T, ctx context.Context, w *watched, other *pipe) {
			// Begun elsewhere, with a context of nobody's.
			inGoroutine(func() {
				ctx, end := w.tracker.Scope(context.Background(), "request")
				defer end()
				must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2"))
			})
			other.do(func() {
				ctx, end := w.tracker.Scope(context.Background(), "other request")
				defer end()
				must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2"))
			})
		}, []string{"1 handle was not given back\n", "rows OVERDUE", "why     still open at the end of scope request\n"}},
		{"by a scope of a goroutine that was there, on this one", nil, func(t *testing.T, ctx context.Context, w *watched, other *pipe) {
			var handed context.Context
			other.do(func() { handed, _ = w.tracker.Scope(context.Background(), "request") })
			must[*sql.Conn](t)(w.Conn(handed))
		}, []string{"conn LEAKED", "scope   request"}},
		{"by a scope that was begun here, elsewhere", nil, func(t *testing.T, ctx context.Context, w *watched, other *pipe) {
			handed, _ := w.tracker.Scope(context.Background(), "request")
			other.do(func() { must[*sql.Conn](t)(w.Conn(handed)) })
		}, []string{"conn LEAKED", "scope   request"}},
		{"by others", nil, func(t *testing.T, ctx context.Context, w *watched, other *pipe) {
			other.do(func() { must[*sql.Tx](t)(w.Begin()) })
		}, nil},
		{"rows inside the transaction of others", nil, func(t *testing.T, ctx context.Context, w *watched, other *pipe) {
			var tx *sql.Tx
			other.do(func() {
				tx = must[*sql.Tx](t)(w.Begin())
				must[*sql.Rows](t)(tx.Query("rows 3"))
			})
			must[*sql.Rows](t)(tx.Query("rows 2"))
		}, append(oneLeak, "rows LEAKED", "pool    shop\n  sql     rows ?\n  stack\n")},
		{"a transaction on the connection of others", nil, func(t *testing.T, ctx context.Context, w *watched, other *pipe) {
			var conn *sql.Conn
			other.do(func() { conn = must[*sql.Conn](t)(w.Conn(context.Background())) })
			tx := must[*sql.Tx](t)(conn.BeginTx(ctx, nil))
			must[*sql.Rows](t)(tx.Query("rows 2"))
		}, append(oneLeak, "tx LEAKED", "inside  1 rows")},
		{"what others opened on its connection", nil, func(t *testing.T, ctx context.Context, w *watched, other *pipe) {
			conn := must[*sql.Conn](t)(w.Conn(ctx))
			other.do(func() { must[*sql.Tx](t)(conn.BeginTx(context.Background(), nil)) })
		}, append(oneLeak, "conn LEAKED", "inside  1 tx")},
		{"a statement", nil, func(t *testing.T, ctx context.Context, w *watched, other *pipe) {
			stmt := must[*sql.Stmt](t)(w.Prepare("insert"))
			other.do(func() { must[sql.Result](t)(stmt.Exec()) })
		}, append(oneLeak, "stmt LEAKED")},
		{"a statement of others, prepared again", nil, func(t *testing.T, ctx context.Context, w *watched, other *pipe) {
			var stmt *sql.Stmt
			other.do(func() { stmt = must[*sql.Stmt](t)(w.Prepare("insert")) })
			conn := must[*sql.Conn](t)(w.Conn(ctx)) // takes the connection it is on
			must[sql.Result](t)(stmt.Exec())
			conn.Close()
		}, nil},
		{"a DB", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) { again(w) }, nil},
		{"a DB, if asked", []tracker.AssertOption{tracker.IncludeDBs()}, func(t *testing.T, ctx context.Context, w *watched, other *pipe) {
			must[*sql.Stmt](t)(again(w).Prepare("insert"))
			other.do(func() { again(w) })
		}, []string{"1 handle was not given back", "db LEAKED", "inside  1 stmt"}},
		{"a known site", []tracker.AssertOption{tracker.IgnoreSite(`\.leakRow `)}, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			leakRow(w.DB)
		}, nil},
		{"on purpose", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			must[*sql.Conn](t)(w.Conn(tracker.LongLived(ctx, "listens")))
		}, nil},
		{"closed by a cleanup", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			rows := must[*sql.Rows](t)(w.QueryContext(ctx, "rows 2"))
			t.Cleanup(func() { rows.Close() })
		}, nil},
		{"labels of its own", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			pprof.Do(ctx, pprof.Labels("a", "b"), func(context.Context) {
				inGoroutine(func() { must[*sql.Tx](t)(w.Begin()) })
			})
		}, append(oneLeak, "tx LEAKED")},
		{"labels of a context of nobody's", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			pprof.Do(context.Background(), pprof.Labels("a", "b"), func(context.Context) {})
			must[*sql.Tx](t)(w.Begin())
		}, append(oneLeak, "tx LEAKED")},
		{"a guard inside", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			inner := newFakeTest()
			inGoroutine(func() {
				w.tracker.Guard(inner, tracker.Grace(0))
				must[*sql.Tx](t)(w.Begin())
				inner.end()
			})
			if !contains(inner.String(), oneLeak...) {
				t.Errorf("the inner guard said %q", inner.String())
			}
		}, nil},
		{"after a guard inside", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			inner := newFakeTest()
			w.tracker.Guard(inner)
			inner.end()
			inGoroutine(func() { must[*sql.Tx](t)(w.Begin()) })
		}, append(oneLeak, "tx LEAKED")},
		{"after a guard inside, and labels of nobody's", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			inner := newFakeTest()
			w.tracker.Guard(inner)
			inner.end()
			pprof.Do(context.Background(), pprof.Labels("a", "b"), func(context.Context) {})
			must[*sql.Tx](t)(w.Begin())
		}, append(oneLeak, "tx LEAKED")},
		{"in a scope of a test that is over", nil, func(t *testing.T, _ context.Context, w *watched, other *pipe) {
			var ctx context.Context
			other.do(func() {
				f := newFakeTest()
				ctx, _ = w.tracker.Scope(context.WithoutCancel(w.tracker.Guard(f)), "worker")
				f.end()
			})
			must[*sql.Tx](t)(w.BeginTx(ctx, nil))
		}, []string{"1 handle was not given back\n", "tx LEAKED", "scope   worker"}},
		{"by a goroutine that outlives a guard inside", nil, func(t *testing.T, ctx context.Context, w *watched, _ *pipe) {
			inner := newFakeTest()
			w.tracker.Guard(inner, tracker.Grace(0))
			left := newPipe()
			defer left.close()
			inner.end()
			left.do(func() { must[*sql.Tx](t)(w.Begin()) })
		}, nil},
		{"wrong options", []tracker.AssertOption{tracker.IgnoreSite("("), nil}, func(*testing.T, context.Context, *watched, *pipe) {
		}, []string{"IgnoreSite", "option 2 is nil"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := watch(t)
			other := newPipe()
			defer other.close()
			f := newFakeTest()
			t.Run("guarded", func(t *testing.T) {
				guarded := w.tracker.Guard(f, append(tt.opts, tracker.Grace(20*time.Millisecond))...)
				t.Cleanup(f.end)
				tt.run(t, guarded, w, other)
			})
			got := f.String()
			if len(f.messages) > 1 || len(f.messages) == 1 && tt.want == nil || !contains(got, tt.want...) {
				t.Errorf("said %q, want %q in it", got, tt.want)
			}
		})
	}
}

func inGoroutine(f func()) {
	var w sync.WaitGroup
	w.Go(f)
	w.Wait()
}

// pipe is a goroutine that others have started.
type pipe struct{ work chan func() }

func newPipe() *pipe {
	p := &pipe{make(chan func())}
	go func() {
		for f := range p.work {
			f()
			p.work <- nil
		}
	}()
	return p
}

func (p *pipe) do(f func()) { p.work <- f; <-p.work }
func (p *pipe) close()      { close(p.work) }
