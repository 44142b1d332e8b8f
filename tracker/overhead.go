package tracker

import (
	"sync"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Overhead is what a tracker itself takes.
type Overhead struct {
	// Connections, Handles and Stacks are how many records there are; one stack
	// is kept for all handles that were opened with it, for good.
	Connections, Handles, Stacks int
	// Bytes is the memory that those take, about. Not in it is what reports add
	// to a stack that they show, some 1,300 bytes.
	Bytes uint64
	// Sweeps is how often a pool was looked at, LastSweep when that was last
	// and LastTook for how long, and Took how long all of them took together.
	// They run on a goroutine of their own. What observers and goroutine dumps
	// take is included.
	Sweeps    uint64
	LastSweep time.Time
	LastTook  time.Duration
	Took      time.Duration
}

// sweepTimes sums up what sweeps take.
type sweepTimes struct {
	mu        sync.Mutex // guards the rest
	n         uint64
	last      time.Time
	lastTook  time.Duration
	tookInAll time.Duration
}

func (s *sweepTimes) add(start time.Time) {
	took := time.Since(start)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.last, s.lastTook = s.n+1, start, took
	s.tookInAll += took
}

// overhead needs what the snapshot has counted.
func (t *Tracker) overhead(pools []Pool) (o Overhead) {
	for i := range pools {
		o.Connections += pools[i].InUse + pools[i].Idle
		for k, n := range pools[i].Open {
			if k != KindConn && k != KindSession { // those are in the connection's record
				o.Handles += n
			}
		}
	}
	stacks, bytes := t.reg.Stacks.Size()
	o.Stacks = stacks
	o.Bytes = bytes + uint64(o.Connections)*record.ConnBytes + uint64(o.Handles)*record.HandleBytes
	s := &t.sweeps
	s.mu.Lock()
	defer s.mu.Unlock()
	o.Sweeps, o.LastSweep, o.LastTook, o.Took = s.n, s.last, s.lastTook, s.tookInAll
	return o
}
