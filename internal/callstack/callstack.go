// Package callstack records call stacks cheaply and reads them late: program
// counters are captured and interned when a handle opens; functions, files
// and lines are looked up once per distinct stack.
package callstack

import (
	"hash/maphash"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/dbleaks-go/dbleaks/internal/heldtime"
)

// MaxDepth is the number of program counters kept of a stack, and maxWalk that
// of those looked at to find them. The assembly knows both too.
const (
	MaxDepth = 64
	maxWalk  = MaxDepth + 1
)

// DefaultLimit is the number of distinct stacks that a [Table] keeps.
const DefaultLimit = 16384

// Stack is one distinct call stack of a [Table]. It is immutable but for what it
// counts, and safe for concurrent use.
type Stack struct {
	layout
	// Origin tells which database/sql method the application called.
	Origin Origin

	hash uint64
	next *Stack // in the table's bucket; set before the stack is published
	// Shared is set if every capture of the stack gives this Stack. It isn't
	// once the table is full: then nothing can be counted by it.
	Shared bool
	// Ended counts the statements and pools opened with this stack that were
	// closed; growth without it is a leak.
	Ended atomic.Uint64
	// KnowsHeld is set once enough times were counted by AddHeld; see there.
	KnowsHeld atomic.Bool
	held      atomic.Pointer[heldtime.Histogram]

	expanded atomic.Pointer[[]*Frame]
	located  atomic.Pointer[Located]
	searched atomic.Uint32 // how often it wasn't where the table looks first
}

// Frames expands the stack, innermost frame first. Compiler-made wrappers and
// this module's own frames are left out.
func (s *Stack) Frames() []Frame {
	if s == nil {
		return nil
	}
	known := s.expanded.Load()
	if known == nil {
		frames := intern(expand(s.pcs[:s.depth]))
		known = &frames
		s.expanded.Store(known)
	}
	out := make([]Frame, len(*known))
	for i, f := range *known {
		out[i] = *f
	}
	return out
}

func newStack(frames []frame, hash uint64) *Stack {
	s := &Stack{layout: layoutOf(frames), hash: hash}
	pcs := s.pcs[:s.depth]
	// The origin is needed at once, the frames by reports only.
	s.Origin = originOf(expand(pcs))
	s.telling = telling(pcs)
	return s
}

func telling(pcs []uintptr) int {
	seen := false
	for i, pc := range pcs {
		sql := false
		if f := runtime.FuncForPC(pc - 1); f != nil {
			// By its entry, as the function may be inlined into the caller's.
			sql = packageOf(runtime.FuncForPC(f.Entry()).Name()) == sqlPackage
		}
		if seen && !sql {
			return i
		}
		seen = seen || sql
	}
	return min(1, len(pcs)-1)
}

// Table interns stacks: equal frames give the same *Stack. The zero value is
// ready to use. It is safe for concurrent use; a stack that is known already
// is found without a lock.
type Table struct {
	// Limit is the number of distinct stacks kept; 0 means DefaultLimit. Set
	// it before first use.
	Limit int

	// recent is where a stack is looked for first: by where on the goroutine's
	// stack its innermost frame is.
	recent [2048 / 8]recent
	turn   atomic.Uint32 // whose turn it is to be replaced in a full recent

	buckets  [4096]atomic.Pointer[Stack] // by hash; each a list, the latest first
	overflow atomic.Uint64

	mu    sync.Mutex // held to add
	n     atomic.Int64
	bytes atomic.Uint64 // that those take, without what symbolising adds
}

type recent [8]atomic.Pointer[Stack]

var seed = maphash.MakeSeed()

// Capture returns the stack of the calling goroutine.
func (t *Table) Capture() *Stack {
	if !predicts {
		return t.search(nil)
	}
	// How far below the stack's upper end this is tells most ways through a
	// program apart. Stacks end at multiples of 2 KB, the size of the smallest,
	// and so the lower bits of an address tell as well. (One that grows or shrinks
	// is copied to the upper end of its new place.)
	var here uint64
	r := &t.recent[uintptr(unsafe.Pointer(&here))/8%uintptr(len(t.recent))]
	for i := range r {
		if s := r[i].Load(); s == nil {
			break
		} else if match(&s.layout) {
			return s
		}
	}
	return t.search(r)
}

// search finds the stack of Capture, its caller, by its hash, or adds it.
//
//go:noinline
func (t *Table) search(r *recent) *Stack {
	var buf [maxWalk]frame
	frames := fromCaller(buf[:walk(&buf)])
	if predicts && endsAtC(frames) {
		r, frames = nil, throughC(&buf)
	}
	h := hash(frames)
	s := find(t.bucket(h).Load(), h, frames)
	if s == nil {
		s = t.add(h, frames)
	}
	if r != nil && s.Shared && predictable(frames) {
		r.add(s, &t.turn)
	}
	return s
}

// fromCaller leaves out the innermost frame.
func fromCaller(frames []frame) []frame {
	if len(frames) < 2 {
		return frames
	}
	base := frames[0].next
	frames = frames[1:]
	for i := range frames {
		frames[i].next -= base
	}
	frames[len(frames)-1].next = 0
	return frames
}

// endsAtC reports whether a walk of frame pointers ended early, because C
// called the innermost functions: it keeps none, or others.
func endsAtC(frames []frame) bool {
	if len(frames) == 0 {
		return false
	}
	f := runtime.FuncForPC(frames[len(frames)-1].pc)
	return f != nil && f.Name() == "runtime.cgocallback"
}

// throughC stores the frames of search's caller, as the runtime tells them.
//
//go:noinline
func throughC(buf *[maxWalk]frame) []frame {
	var pcs [MaxDepth]uintptr
	n := runtime.Callers(3, pcs[:]) // skips itself, throughC and search
	for i, pc := range pcs[:n] {
		buf[i] = frame{pc: pc}
	}
	return buf[:n]
}

func (r *recent) add(s *Stack, turn *atomic.Uint32) {
	for i := range r {
		if r[i].CompareAndSwap(nil, s) || r[i].Load() == s {
			return // by this goroutine or another that met it first
		}
	}
	// Where more stacks than there is room for come in turn, to replace one
	// each time would cost more than it saves.
	if s.searched.Add(1)%8 == 1 {
		r[turn.Add(1)%uint32(len(r))].Store(s)
	}
}

// Overflow counts the stacks that were not shared because the table was full.
// Such a stack is as complete as any other and is freed with its handle.
func (t *Table) Overflow() uint64 { return t.overflow.Load() }

// Size is how many stacks the table has, and how many bytes they take before
// they are symbolised.
func (t *Table) Size() (n int, bytes uint64) { return int(t.n.Load()), t.bytes.Load() }

func (t *Table) bucket(h uint64) *atomic.Pointer[Stack] {
	return &t.buckets[h%uint64(len(t.buckets))]
}

func (t *Table) add(h uint64, frames []frame) *Stack {
	s := newStack(frames, h) // symbolises; not under the lock
	b := t.bucket(h)
	t.mu.Lock()
	defer t.mu.Unlock()
	first := b.Load()
	if known := find(first, h, frames); known != nil {
		return known
	}
	limit := t.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	if t.n.Load() >= int64(limit) {
		t.overflow.Add(1)
		return s
	}
	t.n.Add(1)
	t.bytes.Add(uint64(unsafe.Sizeof(*s)) + s.layout.bytes())
	s.Shared = true
	s.next = first
	b.Store(s)
	return s
}

func find(s *Stack, h uint64, frames []frame) *Stack {
	for ; s != nil; s = s.next {
		if s.hash == h && s.layout.is(frames) {
			return s
		}
	}
	return nil
}

func hash(frames []frame) uint64 {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(frames))), uintptr(len(frames))*unsafe.Sizeof(frame{}))
	return maphash.Bytes(seed, b)
}
