package callstack

import (
	"runtime"
	"unsafe"
)

// Predicts tells that known stacks are found without a walk.
const Predicts = predicts

// Both returns the frames of its caller, once as the table captures them and
// once by runtime.Callers.
func Both(t *Table) (captured, called []Frame) {
	captured = t.Capture().Frames()
	var pcs [4 * MaxDepth]uintptr
	return captured, expand(pcs[:runtime.Callers(1, pcs[:])])
}

// ForgetHashes leaves the table only where it looks first.
func ForgetHashes(t *Table) { clear(t.buckets[:]) }

// Recent counts the stacks that are where the table looks first.
func Recent(t *Table) (n int) {
	for i := range t.recent {
		for j := range t.recent[i] {
			if t.recent[i][j].Load() != nil {
				n++
			}
		}
	}
	return n
}

// CaptureAbove captures the stack of its caller while word lies where the
// outermost function saved the frame pointer of its caller, which it has not.
//
//go:noinline
//go:nocheckptr
func CaptureAbove(t *Table, word uintptr) *Stack {
	var buf [maxWalk]frame
	n := walk(&buf)
	base := buf[0].next
	caller := unsafe.Pointer(&buf) // its frame lies above
	for *(*uintptr)(caller) != uintptr(caller)+buf[1].next-base || *(*uintptr)(unsafe.Add(caller, 8)) != buf[1].pc {
		caller = unsafe.Add(caller, 8)
	}
	saved := (*uintptr)(unsafe.Add(caller, buf[n-2].next-base))
	old := *saved
	*saved = word
	defer func() { *saved = old }()
	return t.Capture()
}
