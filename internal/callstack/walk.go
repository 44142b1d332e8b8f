//go:build (amd64 || arm64) && !dbleaks_callers

package callstack

// The functions below follow the frame pointers that the compiler keeps on
// these systems, from the caller's frame on, at a fortieth of the cost of
// runtime.Callers. What makes it safe: each is one assembly function, which is
// never preempted and doesn't split the stack, so the stack can't move
// meanwhile; each frame pointer is checked to lie in the goroutine's own
// stack, whose bounds g starts with, to be aligned, and to grow.
//
// The build tag dbleaks_callers uses runtime.Callers instead.

// predicts is set if match is had.
const predicts = true

// walk stores the frames of the calling goroutine, innermost first, and
// returns how many there are. The first is that of the calling function. Their
// return addresses are those that runtime.Callers would give, but with the
// compiler's wrappers, and with one address for a function and all that was
// inlined into it. runtime.CallersFrames expands both alike.
//
//go:noescape
func walk(frames *[maxWalk]frame) int

// match reports whether walk would store just the frames of the layout, at least
// two. It compares the telling one before all others.
//
// It looks for each return address where it was relative to the first frame.
// Unlike a walk, which must have loaded one frame pointer before it can load
// the next, that's as many loads as the processor can do at a time. And it is
// enough: how far from a function's frame its caller's lies is known by the
// return address alone (the runtime's unwinder relies on it too), so with each
// address that is the same, the next one is where a walk would find it.
//
//go:noescape
func match(l *layout) bool
