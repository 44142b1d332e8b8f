package callstack

import "runtime"

// Both returns the frames of its caller, once as the tables capture them and
// once by runtime.Callers.
func Both() (walked, called []Frame) {
	var buf, buf2 [4 * MaxDepth]uintptr
	walked = expand(buf[:walk((*[MaxDepth]uintptr)(buf[:MaxDepth]))])
	called = expand(buf2[:runtime.Callers(1, buf2[:])])
	return walked, called
}
