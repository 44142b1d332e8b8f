package tracker

import (
	"cmp"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"database/sql"

	"github.com/dbleaks-go/dbleaks/internal/goroutines"
	"github.com/dbleaks-go/dbleaks/internal/reach"
	"github.com/dbleaks-go/dbleaks/internal/record"
)

// dumps are the process's: to take one stops the world.
var dumps goroutines.Source

// diagnosing shares a diagnosis among those who ask at a time.
type diagnosing struct {
	mu   sync.Mutex
	last *Diagnosis
}

// sharedFor is how long a diagnosis is good enough for who asks next.
const sharedFor = time.Second

// Diagnose finds out who holds connections and who waits for them. To know what
// goroutines do, it stops the world for some microseconds per goroutine, at
// most for a hundredth of the time: who asks sooner gets what is known without.
// Callers at a time share one diagnosis.
func (t *Tracker) Diagnose() Diagnosis {
	if reach.Bubbled() { // whose time is its own
		return t.diagnose(takeDump)
	}
	d := &t.diagnosing
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil || time.Since(d.last.TakenAt) > sharedFor {
		made := t.diagnose(func() (*goroutines.Dump, bool) { return dumps.Dump(0) })
		d.last = &made
	}
	return *d.last
}

func takeDump() (d *goroutines.Dump, fresh bool) { return goroutines.Take(), true }

// diagnose joins what the records say with what the goroutines do. What holds
// connections is looked at before and after: only what was held all the time is
// sure to have been held when the dump was taken.
func (t *Tracker) diagnose(take func() (*goroutines.Dump, bool)) Diagnosis {
	cfg := t.cfg.Load()
	pools := t.reg.Pools()
	before := holdings(cfg, pools)
	dump, fresh := take()
	w := &world{cfg: cfg, dump: dump, byDB: make(map[uintptr]*record.Pool)}
	for _, p := range pools { // by age: where an address serves again, the latest counts
		if db := p.DB(); db != 0 && !p.Closed() {
			w.byDB[db] = p
		}
	}
	w.findWaiters()
	w.findObjects()
	out := Diagnosis{TakenAt: dump.TakenAt, Goroutines: dump.Total, Missing: dump.Total - len(dump.Goroutines)}
	for _, p := range pools {
		if d := w.pool(p, before[p]); len(d.Holders)+len(d.Waiters) > 0 {
			out.Pools = append(out.Pools, d)
		}
	}
	slices.SortStableFunc(out.Pools, func(a, b PoolDiagnosis) int { return cmp.Compare(b.Waiting, a.Waiting) })
	if fresh && out.Missing == 0 {
		out.Deadlocks = w.deadlocks(steady(before, holdings(cfg, pools)))
	}
	return out
}

// holding is what holds the connections of a pool.
type holding struct {
	stats sql.DBStats
	known bool
	views []record.View
}

func holdings(cfg *config, pools []*record.Pool) map[*record.Pool]holding {
	out := make(map[*record.Pool]holding)
	for _, p := range pools {
		var h holding
		h.views = p.Holders(cfg.policy)
		h.stats, h.known = p.Stats()
		out[p] = h
	}
	return out
}

// world is the goroutines of a dump, seen with a tracker's eyes.
type world struct {
	cfg     *config
	dump    *goroutines.Dump
	byDB    map[uintptr]*record.Pool
	waiters map[*record.Pool][]*goroutines.Goroutine
	waitsOn map[int64]*record.Pool // by goroutine
	// started are the goroutines that another one started, and that may use
	// what it holds.
	started map[int64][]int64
	inside  map[uintptr][]int64 // see findObjects
}

func (w *world) findWaiters() {
	w.waiters = make(map[*record.Pool][]*goroutines.Goroutine)
	w.waitsOn = make(map[int64]*record.Pool)
	w.started = make(map[int64][]int64)
	for i := range w.dump.Goroutines {
		if g := &w.dump.Goroutines[i]; g.Creator != 0 && foreign(g) {
			w.started[g.Creator] = append(w.started[g.Creator], g.ID)
		}
	}
	for _, group := range w.dump.Waiters() {
		p := w.byDB[group.DB]
		if p == nil {
			continue // of a DB that nobody watches, or that isn't sure
		}
		w.waiters[p] = group.Goroutines
		for _, g := range group.Goroutines {
			w.waitsOn[g.ID] = p
		}
	}
}

func (w *world) pool(p *record.Pool, h holding) PoolDiagnosis {
	out := PoolDiagnosis{
		Pool: p.Name, PoolID: p.ID, Known: h.known,
		Limit: h.stats.MaxOpenConnections, InUse: h.stats.InUse, Waiting: len(w.waiters[p]),
	}
	for _, g := range w.cfg.groupViews(h.views) {
		out.Holders = append(out.Holders, Holder{Handles: w.cfg.finding(g), Openers: w.openers(g.views)})
	}
	slices.SortFunc(out.Holders, func(a, b Holder) int {
		return cmp.Or(cmp.Compare(b.Handles.Age, a.Handles.Age), cmp.Compare(a.Handles.ID, b.Handles.ID))
	})
	for _, g := range w.waiters[p] {
		site, stack := w.site(g), gFrames(g)
		i := slices.IndexFunc(out.Waiters, func(known Waiter) bool { return known.Site == site })
		if i < 0 {
			i = len(out.Waiters)
			out.Waiters = append(out.Waiters, Waiter{Goroutine: g.ID, Longest: g.Wait, Site: site, Stack: stack})
		}
		out.Waiters[i].Count++
	}
	slices.SortStableFunc(out.Waiters, func(a, b Waiter) int { return cmp.Compare(b.Count, a.Count) })
	return out
}

// openers says what the goroutines do that opened the handles.
func (w *world) openers(views []*record.View) (out []Opener) {
	for _, v := range views {
		o := w.opener(v.Goroutine)
		i := slices.IndexFunc(out, func(known Opener) bool {
			return known.State == o.State && known.At == o.At && known.WaitsFor == o.WaitsFor
		})
		if i < 0 {
			i = len(out)
			out = append(out, o)
		}
		out[i].Count++
		out[i].Longest = max(out[i].Longest, o.Longest)
	}
	slices.SortStableFunc(out, func(a, b Opener) int { return cmp.Compare(b.Count, a.Count) })
	return out
}

func (w *world) opener(id int64) Opener {
	g := w.dump.Find(id)
	switch {
	case g == nil && len(w.dump.Goroutines) < w.dump.Total:
		return Opener{Goroutine: id, State: "unknown"}
	case g == nil:
		return Opener{Goroutine: id, State: "exited"}
	}
	o := Opener{Goroutine: id, State: g.State, Longest: g.Wait, At: w.site(g), Stack: gFrames(g)}
	if p, _ := w.poolOf(id); p != nil {
		o.WaitsFor = p.Name
	}
	return o
}

// site is the application's innermost frame: past the standard library and
// whatever else stands between the two.
func (w *world) site(g *goroutines.Goroutine) Frame {
	for _, f := range g.Frames {
		if pkg := f.Package(); !standard(pkg, f.File) && !w.cfg.libraries.Contains(pkg) {
			return Frame{Function: f.Function, File: f.File, Line: f.Line}
		}
	}
	return Frame{}
}

// standardRoot is where the standard library's files were, with a slash behind;
// empty if the program was built with -trimpath.
var standardRoot = sync.OnceValue(func() string {
	open := runtime.FuncForPC(reflect.ValueOf(sql.Open).Pointer())
	file, _ := open.FileLine(open.Entry())
	root, _ := strings.CutSuffix(file, "database/sql/sql.go")
	return root
})

// standard reports whether a function of the package and file is of the standard
// library. Its packages have no dot in the first part of their path.
func standard(pkg, file string) bool {
	if root := standardRoot(); root != "" {
		return strings.HasPrefix(file, root)
	}
	first, _, _ := strings.Cut(pkg, "/")
	return first == "internal" || pkg != "main" && path.Dir(file) == pkg && !strings.Contains(first, ".")
}

// foreign reports whether a goroutine is more than a part of the standard
// library at work.
func foreign(g *goroutines.Goroutine) bool {
	return !standard(g.CreatedBy.Package(), g.CreatedBy.File) ||
		slices.ContainsFunc(g.Frames, func(f goroutines.Frame) bool { return !standard(f.Package(), f.File) })
}

func gFrames(g *goroutines.Goroutine) []Frame {
	out := make([]Frame, len(g.Frames))
	for i, f := range g.Frames {
		out[i] = Frame{Function: f.Function, File: f.File, Line: f.Line}
	}
	return out
}
