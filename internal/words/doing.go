package words

import "time"

// Doing says what a goroutine does: its state in the runtime's words, the pool
// that it waits for a connection of, if any, and for how long it has been
// blocked, which the runtime tells in whole minutes. "blocked 4m in chan
// receive", "waits for a connection
// of pool shop", "exited".
func Doing(state, waitsFor string, blocked time.Duration) string {
	switch {
	case waitsFor != "" && blocked > 0:
		return "waits for a connection of pool " + waitsFor + " for " + Duration(blocked)
	case waitsFor != "":
		return "waits for a connection of pool " + waitsFor
	case blocked > 0:
		return "blocked " + Duration(blocked) + " in " + state
	case state == "running" || state == "runnable":
		return "running"
	case state == "exited" || state == "unknown":
		return state
	}
	return "in " + state
}
