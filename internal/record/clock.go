package record

import "time"

// clock measures time since it was started, by the monotonic clock. Each pool
// has its own, because a pool that lives in a testing/synctest bubble has a
// time of its own, which means nothing outside the bubble.
type clock struct {
	start   time.Time
	bubbled bool
}

func startClock() clock {
	now := time.Now()
	return clock{start: now, bubbled: bubbled(now)}
}

func (c clock) now() time.Duration { return time.Since(c.start) }

// readable reports whether the calling goroutine shares the clock's time.
func (c clock) readable() bool { return bubbled(time.Now()) == c.bubbled }

// bubbled reports whether t, fresh from time.Now, was read in a bubble: there
// it has no monotonic reading (runtime.time_runtimeNow, Go 1.25 and later).
func bubbled(t time.Time) bool { return t == t.Round(0) }
