package record

import (
	"context"
	"reflect"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/petermattis/goid"
)

// guardLabel is the goroutine label that says which guard a goroutine
// descends from: goroutines inherit the labels of the one that starts them.
const guardLabel = "dbleaks.guard"

// guards are the live ones of the process. They are found by the label or,
// on the goroutine that a guard was made on, by its id: whatever replaces the
// labels there doesn't put them back (pprof.Do).
var guards struct {
	live atomic.Int32

	sync.RWMutex // guards the rest
	seq          uint64
	byLabel      map[string]*Scope
	byGoroutine  map[int64]*Scope
}

// Guard begins a scope that also owns what the calling goroutine opens with
// contexts of no guard, and what those do that it starts from now on.
// It returns ctx as one of the guard, which carries its label for functions
// that set the labels of goroutines. end ends the guard, and must be called
// once.
func (r *Registry) Guard(ctx context.Context, name string) (_ context.Context, g *Scope, end func()) {
	g = r.NewScope(ctx, name)
	g.guard = true
	var terms Terms
	if t := TermsOf(ctx); t != nil {
		terms = *t
	}
	terms.Scope = g
	ctx = WithTerms(ctx, terms)
	id := goid.Get()
	before := goroutineLabels()
	guards.Lock()
	if guards.byLabel == nil {
		guards.byLabel, guards.byGoroutine = make(map[string]*Scope), make(map[int64]*Scope)
	}
	guards.seq++
	label := strconv.FormatUint(guards.seq, 10)
	outer := guards.byGoroutine[id]
	guards.byLabel[label], guards.byGoroutine[id] = g, g
	guards.live.Add(1)
	guards.Unlock()
	pprof.SetGoroutineLabels(pprof.WithLabels(before, pprof.Labels(guardLabel, label)))
	r.asked.Add(1)
	ctx = pprof.WithLabels(ctx, pprof.Labels(guardLabel, label))
	return ctx, g, func() {
		g.End()
		r.asked.Add(-1)
		guards.Lock()
		guards.live.Add(-1)
		delete(guards.byLabel, label)
		if guards.byGoroutine[id] == g {
			delete(guards.byGoroutine, id)
			if outer != nil {
				guards.byGoroutine[id] = outer
			}
		}
		guards.Unlock()
		if now, _ := pprof.Label(goroutineLabels(), guardLabel); now == label && goid.Get() == id {
			pprof.SetGoroutineLabels(before)
		}
	}
}

// inherited is the guard that the calling goroutine descends from, or nil.
func inherited() *Scope {
	if guards.live.Load() == 0 {
		return nil
	}
	label, ok := pprof.Label(goroutineLabels(), guardLabel)
	guards.RLock()
	defer guards.RUnlock()
	if ok {
		return guards.byLabel[label]
	}
	return guards.byGoroutine[goid.Get()]
}

// labelContext is a context with a goroutine's labels, for package pprof to
// read and to set.
type labelContext struct {
	context.Context
	labels any
}

func (c labelContext) Value(key any) any {
	if key == pprofLabels().key {
		return c.labels
	}
	return c.Context.Value(key)
}

// goroutineLabels has the labels of the calling goroutine.
func goroutineLabels() context.Context {
	l := pprofLabels()
	if l.typ == nil {
		return context.Background()
	}
	return labelContext{context.Background(), reflect.NewAt(l.typ, getProfLabel()).Interface()}
}

// pprofLabels is how package pprof keeps labels in a context, which it shows
// to the context only: under which key, and of which type, nil if it isn't a
// pointer any more.
var pprofLabels = sync.OnceValue(func() (l struct {
	key any
	typ reflect.Type
}) {
	var probe keyProbe
	ctx := pprof.WithLabels(&probe, pprof.Labels(guardLabel, ""))
	l.key = probe.key
	if t := reflect.TypeOf(ctx.Value(l.key)); t != nil && t.Kind() == reflect.Pointer {
		l.typ = t.Elem()
	}
	return l
})

// keyProbe is a context that notes what it is asked for.
type keyProbe struct {
	context.Context
	key any
}

func (p *keyProbe) Value(key any) any {
	p.key = key
	return nil
}

// getProfLabel returns the labels of the calling goroutine, as package pprof
// set them. The runtime keeps it reachable for packages that linked to it
// (go.dev/issue/67401).
//
//go:linkname getProfLabel runtime/pprof.runtime_getProfLabel
func getProfLabel() unsafe.Pointer
