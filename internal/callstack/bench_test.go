package callstack_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// BenchmarkCapture compares a capture of a known stack with runtime.Callers.
func BenchmarkCapture(b *testing.B) {
	var table callstack.Table
	for _, depth := range []int{5, 20, 40, 55} {
		b.Run(fmt.Sprintf("depth=%d/table", depth), func(b *testing.B) {
			deep(depth, func() *callstack.Stack {
				for b.Loop() {
					table.Capture()
				}
				return nil
			})
		})
		b.Run(fmt.Sprintf("depth=%d/runtime.Callers", depth), func(b *testing.B) {
			deep(depth, func() *callstack.Stack {
				var pcs [callstack.MaxDepth]uintptr
				for b.Loop() {
					runtime.Callers(0, pcs[:])
				}
				return nil
			})
		})
	}
}
