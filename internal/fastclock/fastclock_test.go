package fastclock

import (
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// machine is a processor's counter and a system's clock.
type machine struct {
	passed time.Duration
	ticks  float64
	hertz  float64
	// What it takes to read them.
	counterTakes, clockTakes time.Duration
	// interrupted is how long the next reading of the clock takes.
	interrupted time.Duration
}

func (m *machine) pass(d time.Duration) {
	m.passed += d
	m.ticks += d.Seconds() * m.hertz
}

func (m *machine) counter() uint64 {
	m.pass(m.counterTakes)
	return uint64(m.ticks)
}

func (m *machine) clock() time.Duration {
	m.pass(m.clockTakes)
	now := m.passed
	m.pass(m.interrupted)
	m.interrupted = 0
	return now
}

func newMachine() *machine {
	return &machine{
		passed: time.Minute, ticks: 1e15, hertz: 2.7e9,
		counterTakes: 8 * time.Nanosecond, clockTakes: 40 * time.Nanosecond,
	}
}

func (m *machine) calibration() *calibration {
	return &calibration{counter: m.counter, clock: m.clock, current: new(atomic.Pointer[scale])}
}

// now is the time that the calibration's scale tells.
func (c *calibration) now(m *machine) (time.Duration, bool) {
	s := c.current.Load()
	if s == nil {
		return 0, false
	}
	return s.time(uint64(m.ticks))
}

func TestTellsTheTime(t *testing.T) {
	m := newMachine()
	c := m.calibration()
	for _, step := range []time.Duration{
		time.Millisecond, 12 * time.Millisecond, 20 * time.Millisecond, 90 * time.Millisecond,
		time.Second, 1900 * time.Millisecond, 5 * time.Second, time.Hour, 1900 * time.Millisecond,
	} {
		c.learn()
		m.pass(step)
		now, ok := c.now(m)
		if !ok {
			continue
		}
		if off := now - m.passed; off.Abs() > 10*time.Microsecond {
			t.Errorf("%v after it was learned, the time is off by %v", step, off)
		}
	}
	if _, ok := c.now(m); !ok || c.off.Load() {
		t.Errorf("in the end it is not known (%v, off %v)", ok, c.off.Load())
	}
}

func TestHoldsForAWhile(t *testing.T) {
	m := newMachine()
	c := m.calibration()
	learnOver := func(d time.Duration) {
		c.learn()
		m.pass(d)
		c.learn()
	}
	for _, tt := range []struct {
		learned, passed time.Duration
		known           bool
	}{
		{base / 2, 0, false}, // since the first reading
		{base, 7 * base, true},
		{base, 9 * base, false},
		{time.Second, 1900 * time.Millisecond, true},
		{time.Second, 2100 * time.Millisecond, false},
		{time.Hour, 1900 * time.Millisecond, true},
		{time.Hour, 2100 * time.Millisecond, false},
		{time.Second, -time.Microsecond, false}, // another processor's counter
	} {
		learnOver(tt.learned)
		if c.current.Load() == nil {
			learnOver(tt.learned) // what was learned first has to be confirmed
		}
		m.pass(tt.passed)
		if _, ok := c.now(m); ok != tt.known {
			t.Errorf("%v after it was learned over %v: known %v, want %v", tt.passed, tt.learned, ok, tt.known)
		}
		m.pass(-tt.passed)
	}
}

func TestGivesUp(t *testing.T) {
	for _, tt := range []struct {
		name   string
		happen func(m *machine, turn int)
		off    bool
		known  bool // in the end
	}{
		{"nothing", func(*machine, int) {}, false, true},
		{"the rate drifts", func(m *machine, _ int) { m.hertz *= 1.0001 }, false, true},
		{"the rate changes once", func(m *machine, turn int) {
			if turn == 4 {
				m.hertz *= 1.1
			}
		}, false, true},
		{"the rate changes all the time", func(m *machine, turn int) { m.hertz *= 1 + float64(turn%2+1)/20 }, true, false},
		{"the counter starts anew once", func(m *machine, turn int) {
			if turn == 4 {
				m.ticks = 0
			}
		}, false, true},
		{"the counter leaps ahead each time", func(m *machine, _ int) { m.ticks += 1e8 * float64(m.passed/time.Second%7) }, true, false},
		{"the counter stands still", func(m *machine, _ int) { m.hertz = 0 }, true, false},
		{"the counter is slow", func(m *machine, _ int) { m.hertz = 24e6 }, true, false},
		{"reading the counter is slow", func(m *machine, _ int) { m.counterTakes = time.Microsecond }, true, false},
		{"readings are interrupted", func(m *machine, _ int) { m.interrupted = 30 * time.Millisecond }, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine()
			c := m.calibration()
			for turn := range 20 {
				tt.happen(m, turn)
				if !c.off.Load() {
					c.learn()
				}
				m.pass(time.Second)
			}
			now, known := c.now(m)
			if c.off.Load() != tt.off || known != tt.known {
				t.Errorf("off %v, known %v; want %v, %v", c.off.Load(), known, tt.off, tt.known)
			}
			if off := now - m.passed; known && off.Abs() > time.Millisecond {
				t.Errorf("the time is off by %v", off)
			}
		})
	}
}

// The first readings may be hours apart, and the machine have slept meanwhile, or
// be another one: only a rate that holds is believed.
func TestFirstRateIsConfirmed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sleep func(m *machine)
	}{
		{"suspended, while the counter went on", func(m *machine) { m.ticks += 8 * 3600 * m.hertz }},
		{"restored elsewhere, where the counter is lower", func(m *machine) { m.ticks = 1e12 }},
	} {
		for _, readings := range []int{1, 3} { // before it sleeps
			m := newMachine()
			c := m.calibration()
			for range readings {
				c.learn()
				m.pass(time.Second)
			}
			for range 2 {
				tt.sleep(m)
				m.pass(time.Second)
				c.learn()
				m.pass(time.Second)
				if now, ok := c.now(m); ok && (now-m.passed).Abs() > tolerance {
					t.Errorf("%s after %d readings: off by %v", tt.name, readings, now-m.passed)
				}
			}
			for range 3 {
				c.learn()
				m.pass(time.Second)
			}
			if now, ok := c.now(m); !ok || (now-m.passed).Abs() > tolerance {
				t.Errorf("%s after %d readings: in the end known %v, off by %v", tt.name, readings, ok, now-m.passed)
			}
		}
	}
}

// A goroutine of a bubble must not be told the time of the others.
func TestTestsHaveNoFastTime(t *testing.T) {
	Learn()
	if _, ok := Now(); ok || !process.off.Load() {
		t.Error("in a test, it is known")
	}
}

func TestConcurrently(t *testing.T) {
	if !readable {
		t.Skip("there is no counter on this system")
	}
	var current atomic.Pointer[scale]
	c := &calibration{counter: counter, current: &current, clock: process.clock}
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for known := 0; known < 1000 && !c.off.Load(); {
				s := current.Load()
				if s == nil {
					c.learn()
					continue
				}
				before := c.clock()
				now, ok := s.time(counter())
				after := c.clock()
				if !ok {
					c.learn()
					continue
				}
				known++
				if now < before-tolerance || now > after+tolerance {
					t.Errorf("%v, which is not between %v and %v", now, before, after)
					return
				}
			}
		})
	}
	running.Wait()
	if c.off.Load() {
		t.Skip("the counter of this machine isn't used")
	}
}

func TestProgramHasFastTime(t *testing.T) {
	if !readable {
		t.Skip("there is no counter on this system")
	}
	out, err := exec.Command("go", "run", "./testdata/now").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.HasPrefix(string(out), "true ") {
		t.Errorf("known, how often, how often not: %s", out)
	}
}

func BenchmarkNow(b *testing.B) {
	if !readable {
		b.Skip("there is no counter on this system")
	}
	b.Run("fast", func(b *testing.B) {
		s := &scale{good: 1 << 63}
		current.Store(s) // for nobody else: a benchmark runs alone
		defer current.Store(nil)
		for b.Loop() {
			Now()
		}
	})
	b.Run("system", func(b *testing.B) {
		for b.Loop() {
			_ = time.Since(Start)
		}
	})
}
