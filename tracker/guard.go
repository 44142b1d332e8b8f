package tracker

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Test is what [Guard] needs of a *testing.T, *testing.B or *testing.F. If it
// has a Helper method, that is called too.
type Test interface {
	TB
	Name() string
	Context() context.Context
	Cleanup(func())
}

// Guard makes the test fail if it doesn't give back what it opens, like
// [AssertNoLeaks], but looks at this test alone: others may run in parallel,
// on the same DB. Call it at the top of the test:
//
//	tracker.Guard(t)
//
// It looks when the test and its subtests are over, after all cleanups that
// were registered since, and reports by tb.Errorf. It waits and takes options
// as AssertNoLeaks does; [IncludeDBs] means the DBs that the test opened.
//
// The test's own is what was opened
//   - with the context that Guard returns, or one derived from it, wherever;
//   - and with other contexts, by the goroutine that called Guard, by
//     subtests, and by all goroutines that descend from these.
//
// What a scope of the test's ([Scope], a request) left open fails the test too,
// though it was taken back as the scope ended.
//
// A subtest that calls Guard too answers for itself. Connections of the pool
// are nobody's, only the handles that are open on them.
//
// Descent is known by a goroutine label (see [runtime/pprof.SetGoroutineLabels]) that
// is taken off again at the end. Pass the context where that isn't enough:
//   - A goroutine that was running before the test, such as a server or a pool
//     of workers that tests share, is nobody's, and so is the function of a
//     timer. A goroutine that a test has started and that works for others is
//     that test's.
//   - The application may replace the labels of a goroutine: [runtime/pprof.Do] does,
//     unless it is given a context derived from Guard's. The goroutine that
//     called Guard is known nevertheless, but not those that it starts from
//     then on.
//
// The context has the values of tb.Context() but doesn't end before the
// cleanups, as database/sql would then close what the test left open; what was
// opened with tb.Context() itself goes unseen for that reason. It ends after
// the look, or when the cleanups before it take longer than the grace period:
// one may wait for what waits for the context.
func (t *Tracker) Guard(tb Test, opts ...AssertOption) context.Context {
	helper(tb)
	a := assertion{grace: DefaultGrace}
	if err := a.apply(opts); err != nil {
		tb.Errorf("%v", err)
		return tb.Context()
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	ctx.Done() // made here: in a testing/synctest bubble it would be the bubble's
	ctx, g, release := t.reg.Guard(ctx, tb.Name())
	looking := make(chan struct{})
	context.AfterFunc(tb.Context(), func() {
		patience := time.NewTimer(a.grace)
		defer patience.Stop()
		select {
		case <-looking:
		case <-patience.C:
			cancel()
		}
	})
	tb.Cleanup(func() {
		helper(tb)
		close(looking)
		defer cancel()
		defer release()
		r := t.verifyGuard(g, &a)
		r.Findings = append(r.Findings, t.takenBack(g, &a)...)
		if !r.Empty() {
			tb.Errorf("%s", r)
		}
	})
	return ctx
}

// Guard guards a test with the default tracker; see [(*Tracker).Guard].
func Guard(tb Test, opts ...AssertOption) context.Context {
	helper(tb)
	return Default().Guard(tb, opts...)
}

func helper(tb TB) {
	if h, ok := tb.(interface{ Helper() }); ok {
		h.Helper()
	}
}

// verifyGuard is verify for what belongs to the guard.
func (t *Tracker) verifyGuard(g *record.Scope, a *assertion) Report {
	start := time.Now()
	pause := time.Millisecond
	held := make(holders)
	for {
		if !g.Open() && !a.dbs {
			return Report{}
		}
		// The first look hands rows over to the garbage collector's
		// judgement.
		t.age()
		if r, unsure := t.guarded(g, a, held); r.Empty() && !unsure {
			return r
		}
		runtime.GC()
		t.age()
		r, unsure := t.guarded(g, a, held)
		if r.proven() && !unsure || time.Since(start) >= a.grace {
			return r
		}
		time.Sleep(min(pause, a.grace))
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// takenBack is what scopes of the guarded test left open, and is not any more.
func (t *Tracker) takenBack(g *record.Scope, a *assertion) []Finding {
	cfg := t.cfg.Load()
	open := make(map[record.ID]bool)
	for _, v := range g.Left(cfg.policy) {
		open[v.ID] = true
	}
	t.mu.Lock()
	strays := t.strays[g]
	delete(t.strays, g)
	t.mu.Unlock()
	strays = slices.DeleteFunc(strays, func(v record.View) bool { return open[v.ID] || a.current[v.ID] })
	r := Report{Findings: cfg.findings(cfg.groupViews(strays))}
	return r.without(a).Findings
}

// age does for all pools what a sweep does.
func (t *Tracker) age() {
	policy := t.cfg.Load().policy
	for _, p := range t.reg.Pools() {
		p.Look(policy, true)
	}
}

// holders are who held the connections of statements at the first look.
// Whether the statements were closed by then is known once others do.
type holders map[record.ID]uint64

func (h holders) wait(v *record.View) bool {
	if !v.Deferred {
		return false
	}
	first, seen := h[v.ID]
	if !seen {
		h[v.ID] = v.Holder
	}
	return !seen || first == v.Holder
}

// guarded reports what belongs to the guard and is open. It is unsure of
// statements that may have been closed.
func (t *Tracker) guarded(g *record.Scope, a *assertion, held holders) (r Report, unsure bool) {
	cfg := t.cfg.Load()
	dbs := make(map[*record.Pool]*record.View)
	if a.dbs {
		for _, p := range g.DBs() {
			v := dbView(p)
			dbs[p] = &v
		}
	}
	var left []record.View
	for _, v := range g.Left(cfg.policy) {
		db := dbs[v.Pool]
		switch {
		case v.LongLived != "" && !v.Lost, a.current[v.ID]:
		case held.wait(&v):
			unsure = true
		case db != nil && v.Kind == record.KindStmt:
			db.Children = append(db.Children, record.ChildView{Kind: v.Kind, Stack: v.Stack, Query: v.Query})
		default:
			left = append(left, v)
		}
	}
	for _, db := range dbs {
		left = append(left, *db)
	}
	return cfg.report(left, ProofAtAssert, (*record.Pool).Closed).without(a), unsure
}
