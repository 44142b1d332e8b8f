package record

import (
	"bytes"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/petermattis/goid"
)

// clock measures time since it was started, by the monotonic clock. Each pool
// has its own, because a pool that lives in a testing/synctest bubble has a
// time of its own, which means nothing outside the bubble.
type clock struct {
	start  time.Time
	bubble *bubble // that it was started in, or nil
}

// absurd is a time between two events of a process that can't be: a bubble's
// time starts in the year 2000.
const absurd = 15 * 365 * 24 * time.Hour

func startClock() clock {
	c := clock{start: time.Now()}
	// In a bubble, time.Now has no monotonic reading (runtime.time_runtimeNow,
	// Go 1.25 and later).
	if c.start == c.start.Round(0) {
		c.bubble = &bubble{name: bubbleName()}
	}
	return c
}

// now returns the time since the start, and false if the calling goroutine
// doesn't share the clock's time.
func (c clock) now() (time.Duration, bool) {
	d := time.Since(c.start)
	return d, -absurd < d && d < absurd && (c.bubble == nil || c.bubble.has())
}

// bubbled reports whether the clock was started in a bubble.
func (c clock) bubbled() bool { return c.bubble != nil }

// bubble tells one from others, all of which have the same time: the runtime
// ends a process that touches a channel of another bubble.
type bubble struct {
	name  string
	known [16]atomic.Int64 // goroutines in it, which they never leave
}

// has reports whether the calling goroutine is in the bubble.
func (b *bubble) has() bool {
	id := goid.Get()
	known := &b.known[id%int64(len(b.known))]
	if known.Load() == id {
		return true
	}
	if bubbleName() != b.name {
		return false
	}
	known.Store(id)
	return true
}

// bubbleName is the number of the calling goroutine's bubble, as the head of its
// stack has it: "goroutine 15 [running, synctest bubble 2]:".
func bubbleName() string {
	head := make([]byte, 256)
	head = head[:runtime.Stack(head, false)]
	_, name, _ := bytes.Cut(head, []byte(", synctest bubble "))
	return string(name[:len(name)-len(bytes.TrimLeft(name, "0123456789"))])
}

// now is the time on the pool's clock; for callers that don't share it, that
// of the last sweep.
func (p *Pool) now() time.Duration {
	now, _ := p.time()
	return now
}

// time is now, and whether the calling goroutine shares the pool's clock.
func (p *Pool) time() (now time.Duration, shared bool) {
	if d, ok := p.clock.now(); ok {
		return d, true
	}
	return time.Duration(p.lastTick.Load()), false
}
