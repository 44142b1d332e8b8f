package tracker

import (
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/goroutines"
	"github.com/dbleaks-go/dbleaks/internal/record"
)

// A dump doesn't say who holds a mutex. But where a goroutine is blocked that
// locks one in a method of some object, and another one is in a method of the
// same object, the other one is likely to hold it, be it a cache of statements
// or a repository: nobody else is, if there is no third one.

// blockedBy is the goroutine that seems to hold what g waits to lock; 0 if that
// can't be told.
func (w *world) blockedBy(g *goroutines.Goroutine) int64 {
	object, typ := lockedObject(g)
	if object == 0 {
		return 0
	}
	var owner int64
	for _, id := range w.inside[object] {
		other := w.dump.Find(id)
		if id == g.ID || !isIn(other, object, typ) {
			continue
		}
		if same, _ := lockedObject(other); same == object {
			continue // waits as well
		}
		if owner != 0 {
			return 0
		}
		owner = id
	}
	return owner
}

// lockedObject is the object in whose method, of which type, g waits for a
// mutex; 0 if it doesn't.
func lockedObject(g *goroutines.Goroutine) (object uintptr, typ string) {
	if !strings.HasPrefix(g.State, "sync.Mutex.") && !strings.HasPrefix(g.State, "sync.RWMutex.") {
		return 0, ""
	}
	for _, f := range g.Frames {
		if pkg := f.Package(); pkg != "sync" && pkg != "internal/sync" {
			return f.Receiver(), f.ReceiverType()
		}
	}
	return 0, ""
}

func isIn(g *goroutines.Goroutine, object uintptr, typ string) bool {
	for _, f := range g.Frames {
		if f.Receiver() == object && f.ReceiverType() == typ {
			return true
		}
	}
	return false
}

// findObjects notes which goroutines are in methods of which objects, as far as
// others wait for a mutex in these.
func (w *world) findObjects() {
	w.inside = make(map[uintptr][]int64)
	for i := range w.dump.Goroutines {
		if object, _ := lockedObject(&w.dump.Goroutines[i]); object != 0 {
			w.inside[object] = nil
		}
	}
	if len(w.inside) == 0 {
		return
	}
	for i := range w.dump.Goroutines {
		g := &w.dump.Goroutines[i]
		var last uintptr
		for _, f := range g.Frames {
			object := f.Receiver()
			if _, wanted := w.inside[object]; wanted && object != last {
				w.inside[object] = append(w.inside[object], g.ID)
				last = object
			}
		}
	}
}

// poolOf is the pool that a goroutine waits for, itself or by way of the one
// that seems to hold the mutex that it waits for: then that one is by.
func (w *world) poolOf(id int64) (p *record.Pool, by int64) {
	if p := w.waitsOn[id]; p != nil {
		return p, 0
	}
	if g := w.dump.Find(id); g != nil {
		if by := w.blockedBy(g); by != 0 {
			return w.waitsOn[by], by
		}
	}
	return nil, 0
}
