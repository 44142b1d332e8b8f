package callstack

import "runtime"

// Predicts tells that known stacks are found without a walk.
const Predicts = predicts

// Both returns the frames of its caller, once as the table captures them and
// once by runtime.Callers.
func Both(t *Table) (captured, called []Frame) {
	captured = t.Capture().Frames()
	var pcs [4 * MaxDepth]uintptr
	var frames []frame
	for _, pc := range pcs[:runtime.Callers(1, pcs[:])] {
		frames = append(frames, frame{pc: pc})
	}
	return captured, expand(frames)
}

// ForgetHashes leaves the table only where it looks first.
func ForgetHashes(t *Table) { clear(t.buckets[:]) }
