package compat

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// The tracker has no goroutine of its own, not even while it watches handles
// that are overdue; and none is left when it was used for all that it can do.
func TestNoGoroutines(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		before := goleak.IgnoreCurrent()
		t.Run("use", func(t *testing.T) {
			a := newApp(t, b, tracker.WithKindThreshold(tracker.KindConn, 50*time.Millisecond))
			for _, l := range allLeaks() {
				if l.isOn(b) && !l.once && !l.locks && l.known != atScopeEnd {
					l.strike(a)
				}
			}
			eventually(t, "a finding", func() bool {
				runtime.GC()
				return len(a.events.all()) > 0
			})
			eventually(t, "no goroutine of the tracker", func() bool {
				return !strings.Contains(stacks(), "dbleaks/tracker.") && !strings.Contains(stacks(), "dbleaks/internal/record.")
			})
			a.tracker.AssertNoLeaks(new(fakeTB), tracker.Grace(0))
			a.tracker.Close()
		})
		goleak.VerifyNone(t, before)
	})
}

// stacks are those of all goroutines but the calling one.
func stacks() string {
	buf := make([]byte, 1<<20)
	all := string(buf[:runtime.Stack(buf, true)])
	_, others, _ := strings.Cut(all, "\n\n")
	return others
}
