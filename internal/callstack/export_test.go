package callstack

import "runtime"

// Both returns the frames of its caller, once as the tables capture them and
// once by runtime.Callers.
func Both() (walked, called []Frame) {
	var buf [maxWalk]frame
	walked = expand(buf[:walk(&buf)])
	var pcs [4 * MaxDepth]uintptr
	var frames []frame
	for _, pc := range pcs[:runtime.Callers(1, pcs[:])] {
		frames = append(frames, frame{pc: pc})
	}
	return walked, expand(frames)
}
