package tracker

import (
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/goroutines"
)

// A dump doesn't say who holds a mutex. But where a goroutine is blocked that
// locks one in a method of some object, those others that are in methods of the
// same object, be it a cache of statements or a repository, are likely to: if
// all of them wait, it doesn't matter who.

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

// ownerOf returns the goroutines that may hold a mutex of the object, and the one
// of them that seems to, as it is in a method and waits for a connection; 0 if
// there is none.
func (w *world) ownerOf(object uintptr, typ string) (seems int64, owners []int64) {
	owners = w.inside[object]
	for _, id := range owners {
		if to, waits := w.waits[id]; waits && to.by == 0 && isIn(w.dump.Find(id), object, typ) {
			return id, owners
		}
	}
	return 0, nil
}

func isIn(g *goroutines.Goroutine, object uintptr, typ string) bool {
	for _, f := range g.Frames {
		if f.Receiver() == object && f.ReceiverType() == typ {
			return true
		}
	}
	return false
}

// findObjects notes which goroutines are in methods of which objects, or in a
// function that was handed them, as far as others wait for a mutex in these:
// all but those who wait.
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
		locks, _ := lockedObject(g)
		found := make(map[uintptr]bool)
		note := func(object uintptr) {
			known, wanted := w.inside[object]
			if wanted && object != locks && !found[object] {
				found[object] = true
				w.inside[object] = append(known, g.ID)
			}
		}
		for _, f := range g.Frames {
			note(f.Receiver())
		}
		if i := w.innermost(g); i >= 0 && g.State != "sync.WaitGroup.Wait" {
			for word := range g.Frames[i].Words() {
				note(word)
			}
		}
	}
}
