package tracker

import (
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

const (
	// changeSpan is what [Finding.Change] looks back, by notes that are
	// changeStep apart.
	changeSpan = time.Minute
	changeStep = 5 * time.Second
)

// countHistory is how many handles a finding had in the last minute. A finding
// begins with none.
type countHistory struct {
	notes []countNote // the latest last; the first is a minute old, or more
}

type countNote struct {
	at    time.Time
	count int
}

// note takes in the count of a sweep.
func (h *countHistory) note(now time.Time, count int) {
	last := len(h.notes) - 1
	if last >= 0 && now.Sub(h.notes[last].at) < changeStep {
		return
	}
	keep := 0
	for keep+1 < len(h.notes) && now.Sub(h.notes[keep+1].at) >= changeSpan {
		keep++
	}
	h.notes = append(slices.Delete(h.notes, 0, keep), countNote{now, count})
}

// change is how many more there are than a minute ago.
func (h *countHistory) change(now time.Time, count int) int {
	before := 0
	for _, n := range h.notes {
		if now.Sub(n.at) < changeSpan {
			break
		}
		before = n.count
	}
	return count - before
}

// PoolSample is what the sweeps of ten seconds counted.
type PoolSample struct {
	At time.Time // when they begin
	// InUse is the most connections, and Alarms the most overdue and leaked
	// handles, that a sweep saw in that time.
	InUse, Alarms int
	// Waits is how many calls had ever begun to wait for a connection, at the
	// end of that time; 0 where the pool's Stats are not known.
	Waits int64
}

func poolSamples(p *record.Pool) []PoolSample {
	var out []PoolSample
	for _, s := range p.Recent() {
		out = append(out, PoolSample{At: p.Wall.Add(s.At), InUse: s.InUse, Alarms: s.Alarms, Waits: s.Waits})
	}
	return out
}
