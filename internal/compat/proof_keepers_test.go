package compat

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// spell is for how long a handle is held where no goroutine that runs has it,
// and nothing but proofs are asked for.
const spell = 150 * time.Millisecond

// keeper keeps a handle for a spell, then calls end, which gives it back. It
// is the only one who has end.
type keeper struct {
	name string
	keep func(t *testing.T, end func())
}

// kept is a global.
var kept sync.Map

var keepers = slices.Concat(heldSomewhere, heldByWaiters)

var heldSomewhere = []keeper{
	{"in a global", func(t *testing.T, end func()) {
		kept.Store(t.Name(), end)
		time.AfterFunc(spell, func() {
			f, _ := kept.LoadAndDelete(t.Name())
			f.(func())()
		})
	}},
	{"by a timer", func(_ *testing.T, end func()) { time.AfterFunc(spell, end) }},
	{"by a finalizer", func(_ *testing.T, end func()) {
		type owner struct{ end func() }
		runtime.SetFinalizer(&owner{end}, func(o *owner) { o.end() })
	}},
	{"by a cleanup", func(_ *testing.T, end func()) {
		runtime.AddCleanup(new([64]byte), func(end func()) { end() }, end)
	}},
	{"by the end of a context", func(_ *testing.T, end func()) {
		ctx, cancel := context.WithTimeout(context.Background(), spell)
		context.AfterFunc(ctx, func() {
			cancel()
			end()
		})
	}},
	{"asleep", func(_ *testing.T, end func()) { go later(end) }},
	{"asleep, to a deferred function", func(_ *testing.T, end func()) {
		go func() {
			defer end()
			time.Sleep(spell)
		}()
	}},
	{"asleep while it panics", func(_ *testing.T, end func()) {
		go func() {
			defer func() { _ = recover() }()
			defer end()
			defer time.Sleep(spell)
			panic("in a goroutine")
		}()
	}},
	{"asleep, on a thread of its own", func(_ *testing.T, end func()) {
		go func() {
			runtime.LockOSThread()
			later(end)
		}()
	}},
	{"in a ring of objects", func(_ *testing.T, end func()) {
		type node struct {
			next *node
			end  func()
		}
		a := &node{}
		a.next = &node{next: a, end: end}
		go func() {
			time.Sleep(spell)
			a.next.next.next.end()
		}()
	}},
}

func later(f func()) {
	time.Sleep(spell)
	f()
}
