// Package callstack records call stacks cheaply and reads them late: program
// counters are captured and interned when a handle opens; functions, files
// and lines are looked up once per distinct stack.
package callstack

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// MaxDepth is the number of program counters kept of a stack. The assembly
// knows it too.
const MaxDepth = 64

// DefaultLimit is the number of distinct stacks that a [Table] keeps.
const DefaultLimit = 16384

// Stack is one distinct call stack of a [Table]. It is immutable but for
// Ended, and safe for concurrent use.
type Stack struct {
	pcs  []uintptr
	hash uint64
	next *Stack // in the table's bucket; set before the stack is published
	// Shared is set if every capture of the stack gives this Stack. It isn't
	// once the table is full: then nothing can be counted by it.
	Shared bool
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

func newStack(pcs []uintptr, hash uint64) *Stack {
	s := &Stack{pcs: slices.Clone(pcs), hash: hash}
	// The origin is needed at once, the frames by reports only.
	s.Origin = originOf(expand(s.pcs))
	s.frames = sync.OnceValue(func() []Frame { return expand(s.pcs) })
	return s
}

// Table interns stacks: equal program counters give the same *Stack. The zero
// value is ready to use. It is safe for concurrent use; a stack that is known
// already is found without a lock.
type Table struct {
	// Limit is the number of distinct stacks kept; 0 means DefaultLimit. Set
	// it before first use.
	Limit int

	buckets  [4096]atomic.Pointer[Stack] // by hash; each a list, the latest first
	overflow atomic.Uint64

	mu sync.Mutex // held to add
	n  int
}

var seed = maphash.MakeSeed()

// Capture returns the stack of the calling goroutine.
func (t *Table) Capture() *Stack {
	var buf [MaxDepth]uintptr
	pcs := buf[:walk(&buf)]
	h := hash(pcs)
	if s := find(t.bucket(h).Load(), h, pcs); s != nil {
		return s
	}
	return t.add(h, pcs)
}

// Overflow counts the stacks that were not shared because the table was full.
// Such a stack is as complete as any other and is freed with its handle.
func (t *Table) Overflow() uint64 { return t.overflow.Load() }

func (t *Table) bucket(h uint64) *atomic.Pointer[Stack] {
	return &t.buckets[h%uint64(len(t.buckets))]
}

func (t *Table) add(h uint64, pcs []uintptr) *Stack {
	s := newStack(pcs, h) // symbolises; not under the lock
	b := t.bucket(h)
	t.mu.Lock()
	defer t.mu.Unlock()
	first := b.Load()
	if known := find(first, h, pcs); known != nil {
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
	t.n++
	s.Shared = true
	s.next = first
	b.Store(s)
	return s
}

func find(s *Stack, h uint64, pcs []uintptr) *Stack {
	for ; s != nil; s = s.next {
		if s.hash == h && slices.Equal(s.pcs, pcs) {
			return s
		}
	}
	return nil
}

func hash(pcs []uintptr) uint64 {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(pcs))), uintptr(len(pcs))*unsafe.Sizeof(uintptr(0)))
	return maphash.Bytes(seed, b)
}
