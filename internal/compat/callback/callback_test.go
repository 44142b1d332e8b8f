package callback

import (
	"runtime"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

//go:noinline
func one(f func()) { Through(f) }

//go:noinline
func other(f func()) { Through(f) }

// TestStackThroughC: what called C is on the stack too, and tells two ways to
// the same callback apart.
func TestStackThroughC(t *testing.T) {
	var table callstack.Table
	for range 3 { // the second time, the stack is known
		for name, call := range map[string]func(func()){"one": one, "other": other} {
			var captured, called []string
			call(func() {
				for _, f := range table.Capture().Frames() {
					captured = append(captured, f.Function)
				}
				var pcs [callstack.MaxDepth]uintptr
				frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
				for more := true; more; {
					var f runtime.Frame
					f, more = frames.Next()
					called = append(called, f.Function)
				}
			})
			if got, want := strings.Join(captured, "\n"), strings.Join(called, "\n"); got != want {
				t.Errorf("captured:\n%s\n\nruntime.Callers:\n%s", got, want)
			}
			if want := "callback." + name; !strings.Contains(strings.Join(captured, "\n"), want) {
				t.Errorf("no %s in\n%s", want, strings.Join(captured, "\n"))
			}
		}
	}
}
