package record

import (
	"sync/atomic"
	"time"

	"github.com/petermattis/goid"

	"github.com/dbleaks-go/dbleaks/internal/fastclock"
	"github.com/dbleaks-go/dbleaks/internal/goroutines"
	"github.com/dbleaks-go/dbleaks/internal/reach"
)

// clock measures time since it was started, by the monotonic clock. Each pool
// has its own, because a pool that lives in a testing/synctest bubble has a
// time of its own, which means nothing outside the bubble.
type clock struct {
	start  time.Time
	offset time.Duration // of the start, on the fast clock
	bubble *bubble       // that it was started in, or nil
}

// absurd is a time between two events of a process that can't be: a bubble's
// time starts in the year 2000.
const absurd = 15 * 365 * 24 * time.Hour

func startClock() clock {
	c := clock{start: time.Now()}
	c.offset = c.start.Sub(fastclock.Start)
	if reach.Bubbled() {
		fastclock.Stop()
		c.bubble = &bubble{number: goroutines.CallingBubble()}
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
	number int64
	known  [16]atomic.Int64 // goroutines in it, which they never leave
}

// has reports whether the calling goroutine is in the bubble.
func (b *bubble) has() bool {
	id := goid.Get()
	known := &b.known[id%int64(len(b.known))]
	if known.Load() == id {
		return true
	}
	if goroutines.CallingBubble() != b.number {
		return false
	}
	known.Store(id)
	return true
}

// now is the time on the pool's clock; for callers that don't share it, that
// of the last sweep.
func (p *Pool) now() time.Duration {
	now, _ := p.time()
	return now
}

// time is now, and whether the calling goroutine shares the pool's clock.
func (p *Pool) time() (now time.Duration, shared bool) {
	if d, ok := fastclock.Now(); ok {
		return d - p.clock.offset, true
	}
	return p.slowTime()
}

//go:noinline
func (p *Pool) slowTime() (now time.Duration, shared bool) {
	if d, ok := p.clock.now(); ok {
		fastclock.Learn()
		return d, true
	}
	return time.Duration(p.lastTick.Load()), false
}
