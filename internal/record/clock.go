package record

import "time"

// clock measures time since it was started, by the monotonic clock. Each pool
// has its own, because a pool that lives in a testing/synctest bubble has a
// time of its own, which means nothing outside the bubble.
type clock struct{ start time.Time }

// absurd is a time between two events of a process that can't be: a bubble's
// time starts in the year 2000.
const absurd = 15 * 365 * 24 * time.Hour

func startClock() clock { return clock{time.Now()} }

// now returns the time since the start, and false if the calling goroutine
// doesn't share the clock's time.
func (c clock) now() (time.Duration, bool) {
	d := time.Since(c.start)
	return d, -absurd < d && d < absurd
}

// bubbled reports whether the clock was started in a bubble: there time.Now
// has no monotonic reading (runtime.time_runtimeNow, Go 1.25 and later).
func (c clock) bubbled() bool { return c.start == c.start.Round(0) }

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
