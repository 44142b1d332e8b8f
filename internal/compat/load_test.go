package compat

import (
	"context"
	"database/sql"
	"flag"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

var loadTime = flag.Duration("load", 20*time.Second, "how long TestLoad runs, at least 20s; minutes tell more")

// loadThreshold is much longer than the traffic leaves anything idle, even
// where a goroutine isn't scheduled for seconds.
const loadThreshold = 10 * time.Second

// loadLeaks are the leaks that go on meanwhile, by name.
var loadLeaks = []string{
	"early return", "row without scan", "iterator", "panic before close", "rows kept", "rows of a statement",
	"error without rollback", "rollback skipped", "sessions", "conn without close", "prepare per call", "open per request",
}

// Of a busy program that leaks at a few lines, those are reported and no
// other is, ever; nor is the tracker a burden to it, however long it runs.
func TestLoad(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), *loadTime)
	defer stop()
	var runs []*load
	for _, b := range []*backend{mysqlBackend, pgxBackend} {
		runs = append(runs, newLoad(t, b))
	}
	for _, r := range runs {
		r.traffic.run(ctx)
		r.leak(ctx)
	}
	watch(ctx, runs)
	for _, r := range runs {
		r.finish()
	}
}

// load is the traffic and the leaks of one program.
type load struct {
	*traffic
	// quiet has another pool of the program, with fewer surprises: statements
	// don't live long where connections don't.
	quiet   *app
	planted []leak
	seen    int             // events that were looked at
	blamed  map[string]bool // findings that were said to be wrong
}

func newLoad(t *testing.T, b *backend) *load {
	t.Helper()
	a := newApp(t, b,
		tracker.WithKindThreshold(tracker.KindConn, loadThreshold),
		tracker.WithKindThreshold(tracker.KindTx, loadThreshold),
		tracker.WithKindThreshold(tracker.KindRows, loadThreshold))
	a.db.SetMaxOpenConns(60)
	a.db.SetMaxIdleConns(50)
	a.db.SetConnMaxLifetime(15 * time.Second)
	r := &load{traffic: &traffic{app: a}, blamed: make(map[string]bool)}
	var err error
	r.admin, err = sql.Open(a.driver, servers[a.server].AdminDSN)
	a.must(err)
	r.admin.SetMaxOpenConns(2)
	t.Cleanup(func() { a.check(r.admin.Close()) })
	r.stmt, err = a.db.Prepare(a.bind("SELECT name FROM item WHERE id = ?"))
	a.must(err)
	r.quiet = &app{backend: b, t: t, ctx: a.ctx, source: a.source, tracker: a.tracker, conns: &connKeeper{Connector: a.conns.Connector}}
	r.quiet.db = driverwrap.OpenDB(r.quiet.conns, driverwrap.WithTracker(a.tracker), driverwrap.WithName("reports"))
	t.Cleanup(func() {
		for _, release := range r.quiet.leftovers {
			a.check(release())
		}
		a.check(r.quiet.db.Close())
		r.quiet.conns.closeAll()
	})
	for _, l := range allLeaks() {
		if slices.Contains(loadLeaks, l.name) {
			r.planted = append(r.planted, l)
		}
	}
	if len(r.planted) != len(loadLeaks) {
		t.Fatalf("%d of %d leaks are known", len(r.planted), len(loadLeaks))
	}
	return r
}

// leak plants the bugs, each once among the first of the traffic, and again
// and again what is found by its growth.
func (r *load) leak(ctx context.Context) {
	r.spawn(func() error {
		for _, l := range r.planted {
			switch {
			case l.kind == tracker.KindConn:
				// Where callers wait, a Conn's line may be that of its first use.
				l.strike(r.quiet)
			case l.known != afterCalls:
				l.strike(r.app)
			}
		}
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			for _, l := range r.planted {
				if l.known == afterCalls && n < 40 {
					l.strike(r.quiet)
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		return nil
	})
}

// watch looks at what is reported, and at what the process takes, until the
// context ends.
func watch(ctx context.Context, runs []*load) {
	t := runs[0].t
	start := time.Now()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	var heap, goroutines []int
	for ctx.Err() == nil {
		for _, r := range runs {
			r.look()
		}
		goroutines = append(goroutines, runtime.NumGoroutine())
		if 2*time.Since(start) > *loadTime && len(heap) == 0 {
			heap = append(heap, heapInUse())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	heap = append(heap, heapInUse())
	most, half := slices.Max(goroutines), slices.Max(goroutines[:len(goroutines)/2])
	t.Logf("at most %d goroutines, heap %d KB after half of the time, %d KB at the end", most, heap[0]>>10, heap[len(heap)-1]>>10)
	if limit := half + half/4; most > limit {
		t.Errorf("%d goroutines, and at most %d in the first half of the time", most, half)
	}
	const grown = 8 << 20
	if heap[len(heap)-1] > heap[0]+grown {
		t.Errorf("the heap grew from %d to %d bytes", heap[0], heap[len(heap)-1])
	}
}

func heapInUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// look checks that nothing innocent is reported, or was since the last look.
func (r *load) look() {
	events := r.events.all()
	for _, e := range events[r.seen:] {
		if e.Exhausted != nil { // no: connections come and go
			r.t.Errorf("%s: %s", r.name, e.Exhausted.Reason)
			continue
		}
		r.wantPlanted(e.Finding)
	}
	r.seen = len(events)
	for _, f := range r.tracker.Snapshot().Findings {
		r.wantPlanted(f)
	}
}

func (r *load) wantPlanted(f tracker.Finding) {
	for _, l := range r.planted {
		if f.Kind == l.kind && at(f.Site, placeOf(r.t, l.name)) {
			return
		}
	}
	if !r.blamed[f.ID] {
		r.blamed[f.ID] = true
		r.t.Errorf("%s: this is no leak:\n%s", r.name, f)
	}
}

// finish checks that what was planted is known, and nothing else is left.
func (r *load) finish() {
	r.tasks.Wait()
	r.check(r.stmt.Close())
	r.t.Logf("%s: %d operations, %d more that failed; %d handles were overdue, %d leaked, %d recovered", r.name,
		r.done.Load(), r.failed.Load(), r.tracker.Snapshot().Totals.Overdue, r.tracker.Snapshot().Totals.Leaked, r.tracker.Snapshot().Totals.Recovered)
	if n := r.done.Load(); n < loadWorkers {
		r.t.Errorf("%d operations: this is no load", n)
	}
	eventually(r.t, "all that was planted is known", func() bool {
		runtime.GC()
		r.tracker.Prove()
		r.look()
		found := r.tracker.Snapshot().Findings
		return !slices.ContainsFunc(r.planted, func(l leak) bool {
			return !slices.ContainsFunc(found, func(f tracker.Finding) bool { return r.isKnown(l, f) })
		})
	})
	// Statements that were closed on a connection that was lost stay open there.
	var left []tracker.Finding
	if !poll(func() bool {
		left = slices.DeleteFunc(r.tracker.Snapshot().Open, func(f tracker.Finding) bool {
			return f.Kind == tracker.KindDB || f.Kind == tracker.KindStmt
		})
		return len(left) == 0
	}) {
		r.t.Errorf("%s: this is left:\n%s", r.name, describe(left))
	}
	if n := r.tracker.Snapshot().Beyond; n != (tracker.Beyond{}) {
		r.t.Errorf("beyond the limits of the tracker: %+v", n)
	}
}

// isKnown tells whether the finding is the leak, proven where that is possible.
func (r *load) isKnown(l leak, f tracker.Finding) bool {
	if hasLeakProfile() && l.provenOn(r.backend) {
		return l.isProven(r.app, f)
	}
	return l.is(r.app, f)
}
