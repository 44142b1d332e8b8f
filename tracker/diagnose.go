package tracker

import (
	"cmp"
	"path"
	"reflect"
	"runtime"
	"runtime/debug"
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
	mu       sync.Mutex // guards the rest; held while a dump is taken
	last     *Diagnosis
	suspects []*record.Pool // of what may be a deadlock besides
	// since is when what seems to be a deadlock was first seen like that.
	since map[string]time.Time
}

// sharedFor is how long a diagnosis is good enough for who asks next.
const sharedFor = time.Second

// Diagnose finds out who holds connections and who waits for them. To know what
// goroutines do, it stops the world for some microseconds per goroutine, at
// most for a hundredth of the time: who asks sooner gets what is known without.
// It takes three seconds more if there seems to be a deadlock that wasn't seen
// before: it looks again then. Callers at a time share one diagnosis.
func (t *Tracker) Diagnose() Diagnosis {
	d, unsure := t.glance()
	if slices.ContainsFunc(d.Pools, func(p PoolDiagnosis) bool {
		return p.Waiting > 0 && slices.ContainsFunc(unsure, func(u *record.Pool) bool { return u.ID == p.PoolID })
	}) {
		time.Sleep(sureAfter + sharedFor/10)
		d, _ = t.glance()
	}
	return d
}

// glance is Diagnose without a second look. It returns also the pools of which
// it isn't sure yet whether there is a deadlock: of all, if it was too early for
// a look.
func (t *Tracker) glance() (d Diagnosis, unsure []*record.Pool) {
	s := &t.diagnosing
	s.mu.Lock()
	defer s.mu.Unlock()
	take := takeDump
	if !reach.Bubbled() { // whose time is its own
		if s.last != nil && time.Since(s.last.TakenAt) <= sharedFor {
			return *s.last, s.suspects
		}
		take = func() (*goroutines.Dump, bool) { return dumps.Dump(0) }
	}
	d, seen, looked := t.diagnose(take)
	if !looked {
		if s.last != nil {
			d = *s.last
			d.Deadlocks = nil // may be over
		}
		return d, t.reg.Pools()
	}
	d = s.makeSure(d, seen)
	s.last = &d
	return d, s.suspects
}

func takeDump() (d *goroutines.Dump, fresh bool) { return goroutines.Take(), true }

// diagnose joins what the records say with what the goroutines do. What holds
// connections is looked at before and after: only what was held all the time is
// sure to have been held when the dump was taken. What seems to be a deadlock is
// told apart, unless the dump is an old one: then looked is false.
func (t *Tracker) diagnose(take func() (*goroutines.Dump, bool)) (out Diagnosis, seen []suspect, looked bool) {
	cfg := t.cfg.Load()
	pools := t.reg.Pools()
	asked := time.Now()
	before := holdings(cfg, pools)
	dump, fresh := take()
	w := newWorld(cfg, dump, pools)
	w.age = max(0, asked.Sub(dump.TakenAt))
	out = Diagnosis{TakenAt: dump.TakenAt, Goroutines: dump.Total, Missing: dump.Total - len(dump.Goroutines)}
	for _, p := range pools {
		if d := w.pool(p, before[p]); len(d.Holders)+len(d.Waiters) > 0 {
			out.Pools = append(out.Pools, d)
		}
	}
	slices.SortStableFunc(out.Pools, func(a, b PoolDiagnosis) int { return cmp.Compare(b.Waiting, a.Waiting) })
	if !fresh {
		return out, nil, false
	}
	if out.Missing == 0 {
		seen = w.deadlocks(steady(before, holdings(cfg, pools)))
	}
	return out, seen, true
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

func (w *world) pool(p *record.Pool, h holding) PoolDiagnosis {
	out := PoolDiagnosis{
		Pool: p.Name, PoolID: p.ID, Known: h.known,
		Limit: h.stats.MaxOpenConnections, InUse: h.stats.InUse, Waiting: len(w.waiters[p]),
	}
	for _, g := range w.cfg.byAge(w.cfg.groupViews(h.views)) {
		h := Holder{Handles: w.cfg.finding(g), Openers: w.openers(g.views), idle: g.views[0].Idle}
		for _, v := range g.views {
			h.idle = min(h.idle, v.Idle)
		}
		out.Holders = append(out.Holders, h)
	}
	for _, g := range w.waiters[p] {
		site := w.site(g)
		i := slices.IndexFunc(out.Waiters, func(known Waiter) bool { return known.Site == site })
		if i < 0 {
			i = len(out.Waiters)
			out.Waiters = append(out.Waiters, Waiter{Goroutine: g.ID, Longest: g.Wait, Site: site, Stack: gFrames(g)})
		}
		out.Waiters[i].Count++
	}
	slices.SortStableFunc(out.Waiters, func(a, b Waiter) int { return cmp.Compare(b.Count, a.Count) })
	out.Advice = poolAdvice(p, out, h)
	return out
}

// openers says what the goroutines do that opened the handles.
func (w *world) openers(views []*record.View) (out []Opener) {
	for _, v := range views {
		o := w.opener(v.Goroutine)
		if v.Age < w.age { // the goroutine may be younger than the dump
			o = Opener{Goroutine: v.Goroutine, State: "unknown"}
		}
		i := slices.IndexFunc(out, func(known Opener) bool {
			return known.State == o.State && known.At == o.At && known.WaitsFor == o.WaitsFor
		})
		if i < 0 {
			i = len(out)
			if g := w.dump.Find(o.Goroutine); g != nil {
				o.Stack = gFrames(g)
			}
			out = append(out, o)
		}
		out[i].Count++
		out[i].Longest = max(out[i].Longest, o.Longest)
	}
	slices.SortStableFunc(out, func(a, b Opener) int { return cmp.Compare(b.Count, a.Count) })
	return out
}

// opener is what a goroutine does, but for its stack.
func (w *world) opener(id int64) Opener {
	g := w.dump.Find(id)
	switch {
	case g == nil && len(w.dump.Goroutines) < w.dump.Total:
		return Opener{Goroutine: id, State: "unknown"}
	case g == nil:
		return Opener{Goroutine: id, State: "exited"}
	}
	o := Opener{Goroutine: id, State: strings.Clone(g.State), Longest: g.Wait, At: w.site(g)}
	if to, ok := w.waits[id]; ok {
		o.WaitsFor, o.waits = to.pool.Name, to.by == 0
	}
	return o
}

// site is the application's innermost frame: past the standard library and
// whatever else stands between the two.
func (w *world) site(g *goroutines.Goroutine) Frame {
	if i := w.innermost(g); i >= 0 {
		return gFrame(g.Frames[i])
	}
	return Frame{}
}

// innermost is the index of the site's frame, or -1.
func (w *world) innermost(g *goroutines.Goroutine) int {
	return slices.IndexFunc(g.Frames, func(f goroutines.Frame) bool {
		pkg := f.Package()
		return !standard(pkg, f.File) && !w.cfg.libraries.Contains(pkg) && !ours(pkg)
	})
}

// ours reports whether the package is one of this module's that have goroutines
// of their own, or are called by the application.
func ours(pkg string) bool {
	rest, ok := strings.CutPrefix(pkg, "github.com/dbleaks-go/dbleaks/")
	if !ok {
		return false
	}
	switch rest {
	case "driverwrap", "driverwrap/serverview", "httpdebug", "tracker", "internal/goroutines", "internal/reach", "internal/record":
		return true
	}
	return false
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
// library. Its files are in directories without a dot in the first part.
func standard(pkg, file string) bool {
	if root := standardRoot(); root != "" {
		return strings.HasPrefix(file, root)
	}
	// A function that the runtime has for another package is in a file of its own.
	first := firstElements(path.Dir(file), 1)
	return pkg != "main" && first != firstElements(mainModule(), 1) && !strings.Contains(first, ".")
}

// mainModule is the path of the module that the program was built from; empty
// if that isn't known.
var mainModule = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Path
})

func gFrames(g *goroutines.Goroutine) []Frame {
	out := make([]Frame, len(g.Frames))
	for i, f := range g.Frames {
		out[i] = gFrame(f)
	}
	return out
}

// gFrame copies a frame, so that it doesn't keep the text of the dump.
func gFrame(f goroutines.Frame) Frame {
	return Frame{Function: strings.Clone(f.Function), File: strings.Clone(f.File), Line: f.Line}
}
