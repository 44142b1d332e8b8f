//go:build !(amd64 || arm64) || dbleaks_callers

package callstack

import "runtime"

const predicts = false

func walk(frames *[maxWalk]frame) int {
	var pcs [maxWalk]uintptr
	// Skip runtime.Callers and walk.
	n := runtime.Callers(2, pcs[:])
	for i, pc := range pcs[:n] {
		frames[i] = frame{pc: pc}
	}
	return n
}

func match(*layout) bool { return false }
