//go:build (amd64 || arm64) && !dbleaks_callers

package callstack

// walk stores the return addresses of the calling goroutine, innermost first,
// and returns how many there are: those that runtime.Callers would give, but
// with the compiler's wrappers, and with one address for a function and all
// that was inlined into it. runtime.CallersFrames expands both alike.
//
// It follows the frame pointers that the compiler keeps on these systems, at
// a fortieth of the cost. What makes it safe: it is one assembly function,
// which is never preempted and doesn't split the stack, so the stack can't
// move meanwhile; each frame pointer is checked to lie in the goroutine's own
// stack, whose bounds g starts with, to be aligned, and to grow.
//
// The build tag dbleaks_callers uses runtime.Callers instead.
//
//go:noescape
func walk(pcs *[MaxDepth]uintptr) int
