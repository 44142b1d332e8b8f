// Package heldtime counts for how long handles were held.
package heldtime

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Buckets end at the shortest time and at its doubles, and halfway between two
// of these. The last one takes the rest: what is longer than some five hours.
const (
	shortest = 16 * time.Microsecond
	doubles  = 30
	buckets  = 2*doubles + 2
)

// Histogram counts durations. The zero value is ready to use, by many
// goroutines.
type Histogram struct {
	n      atomic.Uint32
	counts [buckets]atomic.Uint32
}

// Add counts a duration, and returns how many there are now.
func (h *Histogram) Add(d time.Duration) uint32 {
	h.counts[bucketOf(d)].Add(1)
	return h.n.Add(1)
}

func bucketOf(d time.Duration) int {
	if d <= shortest {
		return 0
	}
	// The first bucket that doesn't end before d.
	x := uint64((d - 1) / shortest)
	double := bits.Len64(x) - 1
	i := 2*double + 1
	if time.Duration(3<<double)*shortest/2 < d {
		i++
	}
	return min(i, buckets-1)
}

// endOf is the longest duration that the bucket counts.
func endOf(i int) time.Duration {
	switch {
	case i == buckets-1:
		return math.MaxInt64
	case i%2 == 0:
		return shortest << (i / 2)
	}
	return shortest << (i / 2) * 3 / 2
}

// Counts are the sum of some histograms.
type Counts [buckets]uint64

// Add adds a histogram, if there is one.
func (c *Counts) Add(h *Histogram) {
	if h == nil {
		return
	}
	for i := range h.counts {
		c[i] += uint64(h.counts[i].Load())
	}
}

// All calls f for each bucket that counted any, the shortest first, with the
// longest duration that it counts; [math.MaxInt64] for the last one.
func (c *Counts) All(f func(upTo time.Duration, n uint64) bool) {
	for i, n := range c {
		if n > 0 && !f(endOf(i), n) {
			return
		}
	}
}
