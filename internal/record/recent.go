package record

import (
	"slices"
	"sync"
	"time"
)

const (
	// SampleStep is how far the samples of a pool are apart, at least.
	SampleStep = 10 * time.Second
	// SampleSpan is how old they are, at most.
	SampleSpan = 10 * time.Minute

	maxSamples = int(SampleSpan / SampleStep)
)

// Sample is what the sweeps of one stretch of time counted.
type Sample struct {
	At time.Duration // when it begins, on the pool's clock; it lasts ten seconds
	// InUse and Alarms are the most connections in use, and the most overdue
	// and lost handles, that a sweep saw.
	InUse, Alarms int
	Waits         int64 // how many calls have ever begun to wait, at its last sweep
}

// recent is the last ten minutes of a pool. While nothing is in use nobody
// sweeps, and there are no samples.
type recent struct {
	mu      sync.Mutex // guards the rest
	samples []Sample   // the latest last
}

// Sampled takes in what a sweep counted.
func (p *Pool) Sampled(inUse, alarms int) {
	now, shared := p.clock.now()
	if !shared {
		return
	}
	p.crowd.mu.Lock()
	waits := p.crowd.last.stats.WaitCount
	p.crowd.mu.Unlock()
	r := &p.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.samples) - 1
	if last < 0 || now-r.samples[last].At >= SampleStep {
		if len(r.samples) == maxSamples {
			r.samples = slices.Delete(r.samples, 0, 1)
			last--
		}
		r.samples = append(r.samples, Sample{At: now})
		last++
	}
	s := &r.samples[last]
	s.InUse, s.Alarms, s.Waits = max(s.InUse, inUse), max(s.Alarms, alarms), waits
}

// Recent returns the samples of the last ten minutes, the oldest first.
func (p *Pool) Recent() []Sample {
	r := &p.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	old := p.now() - SampleSpan
	first := 0
	for first < len(r.samples) && r.samples[first].At < old {
		first++
	}
	return slices.Clone(r.samples[first:])
}
