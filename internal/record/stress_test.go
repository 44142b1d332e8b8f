package record_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/callstack"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/tracker"
)

var rounds = flag.Int("rounds", 8, "how many DBs to open, use from many goroutines, and close meanwhile")

const (
	workers = 16
	uses    = 200 // by each worker
	leaks   = 5   // by each worker
)

// eager finds everything that isn't in a driver call overdue.
var eager = record.Policy{Conn: 1, Tx: 1, Rows: 1, MaxAge: 1}

// TestEveryReportedEndIsToldOnce uses DBs from many goroutines, in every way,
// while others look, sweep and report all that is open. The end of each handle
// that was reported must be told, and told once; no stack may be another's; and
// nothing may be left but what was leaked on purpose, and that be found.
func TestEveryReportedEndIsToldOnce(t *testing.T) {
	for round := range *rounds {
		tr, err := tracker.New() // the test reports in its place
		if err != nil {
			t.Fatal(err)
		}
		db := driverwrap.OpenDB(&nopdriver.Connector{Before: fail}, driverwrap.WithTracker(tr))
		db.SetConnMaxLifetime(time.Millisecond)
		db.SetMaxIdleConns(4)
		r := &reader{t: t, reg: tr.Recorder(), open: make(map[record.Key]int)}
		stop := r.start(tr)

		shared := make([]*sql.Stmt, 3)
		for i := range shared {
			for shared[i] == nil {
				shared[i], _ = db.Prepare("shared")
			}
		}
		var wg sync.WaitGroup
		var leaked, done atomic.Int64
		for i := range uint64(workers) {
			wg.Go(func() {
				u := &user{rand: rand.New(rand.NewPCG(i, uint64(round))), db: db, stmt: shared[i%3]}
				for range uses {
					ways[u.rand.IntN(len(ways))](u)
					if done.Add(1) == workers*uses*3/4 && round%2 == 0 {
						db.Close() // while the others go on
					}
				}
				for range leaks {
					if leak(db) {
						leaked.Add(1)
					}
				}
			})
		}
		wg.Wait()
		for _, s := range shared {
			s.Close()
		}
		db.Close()
		r.settle(tr, int(leaked.Load()))
		stop()
	}
}

// fail makes some calls of the driver fail, as if the connection were broken,
// and others take turns.
func fail(_ context.Context, call, query string) error {
	switch n := rand.IntN(100); {
	case query == "leak" || call == "close":
	case n < 3:
		return driver.ErrBadConn
	case n < 6:
		return fmt.Errorf("%s failed", call)
	case n < 40:
		runtime.Gosched()
	}
	return nil
}

// reader looks at everything that is open, and reports it.
type reader struct {
	t   *testing.T
	reg *record.Registry
	// pools have been seen; those that are gone may have ends to tell.
	pools sync.Map

	mu   sync.Mutex
	open map[record.Key]int // how often the end of what was reported is still to be told
	told int
}

// start lets some goroutines read until stop is called.
func (r *reader) start(tr *tracker.Tracker) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	loop := func(f func()) {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					f()
					runtime.Gosched()
				}
			}
		})
	}
	loop(func() { r.read(true) })
	loop(func() { r.read(false) })
	loop(func() { tr.Snapshot() })
	return func() {
		close(done)
		wg.Wait()
	}
}

func (r *reader) read(sweep bool) (lost int) {
	for _, p := range r.reg.Pools() {
		views, _ := p.Look(eager, sweep)
		for i := range views {
			v := &views[i]
			r.check(v)
			if v.Lost {
				lost++
			}
			// What acquires a connection that is then leaked never ends.
			if v.Lost || v.Overdue && !(v.Kind == record.KindConn && in(v.Stack, "leak")) {
				r.report(v)
			}
		}
		r.pools.Store(p, nil)
	}
	r.pools.Range(func(p, _ any) bool {
		r.takeEnded(p.(*record.Pool))
		return true
	})
	return lost
}

func (r *reader) report(v *record.View) {
	r.mu.Lock() // over Report: its end is counted after it
	defer r.mu.Unlock()
	key := record.Key(fmt.Sprint(v.ID))
	if before, ok := v.Report(key); ok && before == record.ToldNothing {
		r.open[key]++
	}
}

func (r *reader) takeEnded(p *record.Pool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range p.TakeEnded() {
		r.told += e.Count
		r.open[e.Key] -= e.Count
	}
}

// check compares the stack with the handle.
func (r *reader) check(v *record.View) {
	switch m := v.Stack.Origin.Method; {
	case v.Kind == record.KindTx && m != callstack.MethodBegin,
		v.Kind == record.KindRows && m != callstack.MethodQuery && m != callstack.MethodQueryRow:
		r.t.Errorf("handle of kind %d from %v", v.Kind, v.Stack.Frames())
	}
	r.checkSite(v.Stack, v.Query)
	for _, c := range v.Children {
		r.checkSite(c.Stack, c.Query)
	}
}

// checkSite expects a handle in the function that is called as its SQL text.
func (r *reader) checkSite(s *callstack.Stack, query string) {
	sites := []string{query}
	if query == "shared" {
		sites = []string{"useStmt", "useTx", "TestEveryReportedEndIsToldOnce"}
	}
	if query != "" && !in(s, sites...) {
		r.t.Errorf("%q from %v", query, s.Frames())
	}
}

// in reports whether one of this package's functions is on the stack.
func in(s *callstack.Stack, functions ...string) bool {
	return slices.ContainsFunc(s.Frames(), func(f callstack.Frame) bool {
		name, own := strings.CutPrefix(f.Function, "github.com/dbleaks-go/dbleaks/internal/record_test.")
		return own && slices.Contains(functions, name)
	})
}

// settle waits until nothing is open but what was leaked, and all other ends
// are told, some of them to the tracker.
func (r *reader) settle(tr *tracker.Tracker, leaked int) {
	var state string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); runtime.GC() {
		lost := r.read(true)
		var all record.Counts
		for _, p := range r.reg.Pools() {
			_, n := p.Look(eager, false)
			all.InUse += n.InUse
			all.Idle += n.Idle
		}
		untold := r.untold() - int(tr.Snapshot().Totals.Recovered)
		if lost == leaked && untold == leaked && all == (record.Counts{InUse: leaked}) {
			return
		}
		state = fmt.Sprintf("%d leaks, %d ends untold, open %+v", lost, untold, all)
	}
	r.t.Fatalf("%d were leaked; found %s; %d ends told", leaked, state, r.told)
}

// untold counts the ends of reported handles that are still to be told.
func (r *reader) untold() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, left := range r.open {
		if left < 0 {
			r.t.Errorf("the end of %s was told %d times too often", key, -left)
		}
		n += left
	}
	return n
}
