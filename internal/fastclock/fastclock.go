// Package fastclock tells monotonic time by the processor's counter of cycles,
// in less than half the time that the system's clock takes, which is read once
// in a while to learn what the counter says. Times are as good as those of the
// system to some microseconds, while its clock is adjusted to a millisecond.
//
// Where there is no such counter (it is read on amd64 only), where reading it
// takes longer than the system's clock does, and once it has shown not to be
// steady, there is no fast time: [Now] says so. So it does in tests, as a
// bubble of testing/synctest has a time of its own, and the counter doesn't tell
// who is in one; and in any program once somebody saw a bubble ([Stop]).
package fastclock

import (
	"math"
	"math/bits"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Start is when times are counted from: the start of the process.
var Start = time.Now()

// scale says what the counter's values mean.
type scale struct {
	ticks uint64        // the counter
	at    time.Duration // when it was that
	rate  uint64        // of a tick in nanoseconds, in 1/2^64
	good  uint64        // for how many ticks this holds
}

var current atomic.Pointer[scale]

// Now is the time since [Start], and false if the system's clock has to be
// read.
func Now() (now time.Duration, ok bool) {
	s := current.Load()
	if s == nil {
		return 0, false
	}
	return s.time(counter())
}

// time is false for a value that comes too late, or too early: processors may
// differ by some ticks.
func (s *scale) time(ticks uint64) (time.Duration, bool) {
	ns, _ := bits.Mul64(ticks-s.ticks, s.rate)
	return s.at + time.Duration(ns), ticks-s.ticks < s.good
}

const (
	// life is for how long a scale holds: times are off by what the counter's
	// rate is off, for so long.
	life = 2 * time.Second
	// base is the shortest time from which the rate is learned.
	base = 10 * time.Millisecond
	// tolerance is by how much the counter may disagree with the system's clock,
	// and how often it may before it isn't believed any more. The system can't
	// be asked for both at once, and whoever asks can be interrupted.
	tolerance = time.Millisecond
	patience  = 3
)

// A calibration compares the counter with the system's clock.
type calibration struct {
	counter func() (ticks uint64)
	clock   func() time.Duration
	current *atomic.Pointer[scale]
	barred  func() bool // asked before the first reading, unless nil
	off     atomic.Bool // for good

	mu     sync.Mutex // guards the rest
	last   reading    // the zero one before the first
	rate   uint64     // learned last, or 0
	misses int        // how often counter and clock disagreed, or it wasn't worth it
}

// reading is the counter and the clock at one time.
type reading struct {
	ticks uint64
	at    time.Duration
}

var process = &calibration{
	counter: counter, current: &current,
	clock:  func() time.Duration { return time.Since(Start) },
	barred: func() bool { return !readable || inTest() },
}

// Learn is to be called by whoever had to read the system's clock, so that Now
// knows the time: in some milliseconds at first. It takes some hundred
// nanoseconds, or none if another goroutine does it. It is safe for concurrent
// use.
func Learn() {
	if !process.off.Load() {
		process.learn()
	}
}

func (c *calibration) learn() {
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	before := c.last
	first := before == (reading{})
	if c.off.Load() || !first && c.clock()-before.at < base {
		return
	}
	if first && c.barred != nil && c.barred() {
		c.stop()
		return
	}
	now, worth := c.read()
	c.last = now
	if first {
		return
	}
	ticks, passed := now.ticks-before.ticks, now.at-before.at
	rate := rateOf(ticks, passed)
	known := c.rate != 0
	if !worth || rate == 0 || known && !agree(c.rate, ticks, passed) {
		c.miss()
		return
	}
	c.rate = rate
	if !known {
		return // the machine may have slept meanwhile: the next one has to agree
	}
	// What was learned in a short time doesn't hold for long.
	good := min(life.Seconds()/passed.Seconds(), 8) * float64(ticks)
	c.current.Store(&scale{ticks: now.ticks, at: now.at, rate: rate, good: uint64(good)})
}

// Stop is to be called by who has seen a bubble of testing/synctest: there is no
// fast time from then on.
func Stop() {
	if process.off.Load() {
		return
	}
	process.mu.Lock()
	defer process.mu.Unlock()
	process.stop()
}

// read reads both, as close to each other as it comes. worth is false if the
// counter takes longer to be read than the clock.
func (c *calibration) read() (best reading, worth bool) {
	shortest, alone := uint64(math.MaxUint64), uint64(math.MaxUint64)
	for range 4 {
		first := c.counter()
		second := c.counter()
		at := c.clock()
		third := c.counter()
		alone = min(alone, second-first)
		if d := third - second; d < shortest {
			shortest, best = d, reading{second + d/2, at}
		}
	}
	return best, shortest >= 2*alone
}

// rateOf is 0 if the counter stood still, is too slow to be of use, or faster than
// any: the clock stood still while the machine slept.
func rateOf(ticks uint64, passed time.Duration) uint64 {
	if ns := uint64(passed); ticks <= ns || ticks > 10*ns {
		return 0 // one tick per nanosecond is what fits the rate
	}
	rate, _ := bits.Div64(uint64(passed), 0, ticks)
	return rate
}

// agree reports whether so many ticks at the rate are about the time that has
// passed.
func agree(rate, ticks uint64, passed time.Duration) bool {
	ns, _ := bits.Mul64(ticks, rate)
	off := time.Duration(ns) - passed
	// The rate may be off by 0.1 %, of what a virtual machine did meanwhile.
	return off.Abs() <= tolerance+passed/1000
}

// miss starts anew, some times.
func (c *calibration) miss() {
	c.current.Store(nil)
	c.rate = 0
	if c.misses++; c.misses > patience {
		c.stop()
	}
}

func (c *calibration) stop() {
	c.off.Store(true)
	c.current.Store(nil)
}

// inTest reports whether the program is a test, or may be one. Some of those that
// Bazel makes have no path, or this one.
func inTest() bool {
	info, ok := debug.ReadBuildInfo()
	return !ok || info.Path == "" || info.Path == "testmain" || strings.HasSuffix(info.Path, ".test")
}
