package driverwrap_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails if a goroutine is left of any DB when all tests are over.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leftGoroutines(); code == 0 && left != nil {
		fmt.Printf("%d goroutines are left, such as\n%s\n", len(left), left[0])
		code = 1
	}
	os.Exit(code)
}

// leftGoroutines returns those of database/sql that don't end by themselves.
func leftGoroutines() (left []string) {
	for deadline := time.Now().Add(5 * time.Second); ; runtime.Gosched() {
		buf := make([]byte, 1<<20)
		left = nil
		for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(stack, "database/sql.") {
				left = append(left, stack)
			}
		}
		if left == nil || time.Now().After(deadline) {
			return left
		}
	}
}
