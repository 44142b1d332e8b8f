package callstack

import (
	"math"
	"unsafe"
)

// frame is a function call on a stack, as far as the stack tells. The assembly
// knows its layout.
type frame struct {
	// next is where the caller's frame lies, relative to the innermost frame of
	// the stack; 0 for the outermost.
	next uintptr
	pc   uintptr // where the call returns to
}

// layout is what frames a stack has, the innermost first, as match wants it. The
// assembly knows it by go_asm.h.
type layout struct {
	pcs []uintptr // at an address that is a multiple of 16, for the assembly
	// at is where each frame lies, relative to the first.
	at []uint32
	// depth is how many there are. The last one stands for up to three more, so
	// that the assembly can take four in a turn.
	depth int
	// telling is the frame, not the innermost, that best tells the stack from
	// others: the first one outside of database/sql.
	telling int
}

func layoutOf(frames []frame) layout {
	const turn = 4
	if len(frames) == 0 {
		return layout{}
	}
	room := (len(frames) + turn - 1) / turn * turn
	l := layout{pcs: aligned(room), at: make([]uint32, room), depth: len(frames)}
	for i := range room {
		n := min(i, len(frames)-1)
		l.pcs[i] = frames[n].pc
		if n > 0 {
			l.at[i] = uint32(frames[n-1].next)
		}
	}
	return l
}

// aligned makes a slice as pcs is to be. The allocator's sizes make all that are
// as long as this one, but it doesn't promise to.
func aligned(n int) []uintptr {
	pcs := make([]uintptr, n)
	if misplaced(pcs) {
		if pcs = make([]uintptr, n+1); misplaced(pcs) {
			pcs = pcs[1:]
		}
	}
	return pcs[:n]
}

func misplaced(pcs []uintptr) bool { return uintptr(unsafe.Pointer(&pcs[0]))%16 != 0 }

// is reports whether it is the layout of the frames.
func (l *layout) is(frames []frame) bool {
	if l.depth != len(frames) {
		return false
	}
	at := uintptr(0)
	for i, f := range frames {
		if l.pcs[i] != f.pc || l.at[i] != uint32(at) {
			return false
		}
		at = f.next
	}
	return true
}

// predictable reports whether match can tell the layout of the frames.
func predictable(frames []frame) bool {
	n := len(frames)
	return n > 1 && uint64(frames[n-2].next) <= math.MaxUint32
}

func (l *layout) bytes() uint64 {
	return uint64(cap(l.pcs))*uint64(unsafe.Sizeof(uintptr(0))) + 4*uint64(len(l.at))
}
