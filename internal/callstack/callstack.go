// Package callstack records call stacks cheaply and reads them late: program
// counters are captured and interned when a handle opens; functions, files
// and lines are looked up once per distinct stack.
package callstack

import (
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// MaxDepth is the number of program counters kept of a stack.
const MaxDepth = 64

// DefaultLimit is the number of distinct stacks that a [Table] keeps.
const DefaultLimit = 16384

// Stack is one distinct call stack of a [Table]. It is immutable but for
// Ended, and safe for concurrent use.
type Stack struct {
	pcs []uintptr
	// Origin tells which database/sql method the application called.
	Origin Origin
	// Ended counts the statements and pools opened with this stack that were
	// closed; growth without it is a leak.
	Ended atomic.Uint64

	frames  func() []Frame
	located atomic.Pointer[Located]
}

// Frames expands the stack, innermost frame first. Compiler-made wrappers and
// this module's own frames are left out. The caller must not change it.
func (s *Stack) Frames() []Frame {
	if s == nil {
		return nil
	}
	return s.frames()
}

func newStack(pcs []uintptr) *Stack {
	s := &Stack{pcs: slices.Clone(pcs)}
	// The origin is needed at once, the frames by reports only.
	s.Origin = originOf(expand(s.pcs))
	s.frames = sync.OnceValue(func() []Frame { return expand(s.pcs) })
	return s
}

// Table interns stacks: equal program counters give the same *Stack. The zero
// value is ready to use. It is safe for concurrent use; a stack that is known
// already takes a read lock only.
type Table struct {
	// Limit is the number of distinct stacks kept; 0 means DefaultLimit. Set
	// it before first use.
	Limit int

	mu       sync.RWMutex
	stacks   map[uint64][]*Stack // by hash; full comparison within
	n        int
	overflow atomic.Uint64
}

var seed = maphash.MakeSeed()

// Capture returns the stack of the calling goroutine.
func (t *Table) Capture() *Stack {
	var buf [MaxDepth]uintptr
	// Skip runtime.Callers and Capture; expand drops the module's own frames.
	pcs := buf[:runtime.Callers(2, buf[:])]
	h := hash(pcs)
	t.mu.RLock()
	s := find(t.stacks[h], pcs)
	t.mu.RUnlock()
	if s != nil {
		return s
	}
	return t.add(h, pcs)
}

// Overflow counts the stacks that were not shared because the table was full.
// Such a stack is as complete as any other and is freed with its handle.
func (t *Table) Overflow() uint64 { return t.overflow.Load() }

func (t *Table) add(h uint64, pcs []uintptr) *Stack {
	s := newStack(pcs) // symbolises; not under the lock
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := find(t.stacks[h], pcs); known != nil {
		return known
	}
	limit := t.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	if t.n >= limit {
		t.overflow.Add(1)
		return s
	}
	if t.stacks == nil {
		t.stacks = make(map[uint64][]*Stack)
	}
	t.n++
	t.stacks[h] = append(t.stacks[h], s)
	return s
}

func find(stacks []*Stack, pcs []uintptr) *Stack {
	for _, s := range stacks {
		if slices.Equal(s.pcs, pcs) {
			return s
		}
	}
	return nil
}

func hash(pcs []uintptr) uint64 {
	if len(pcs) == 0 {
		return 0
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&pcs[0])), uintptr(len(pcs))*unsafe.Sizeof(pcs[0]))
	return maphash.Bytes(seed, b)
}
