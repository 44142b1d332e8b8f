package main

import (
	"math"
	"slices"
)

// quantile is the value below which the share q of the values lies, taken
// linearly between the two next to it. Of no values it is NaN.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// interval is where the median of what the values were drawn from lies with a
// probability of at least 95 %, whatever their distribution: each value is as
// likely above that median as below. Of fewer than six values it spans all.
func interval(values []float64) (low, high float64) {
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	rank := 0
	// The probabilities that just rank values, and rank or fewer, are below; the
	// first as its logarithm, as it may be too small for a float64.
	just := float64(n) * math.Log(0.5)
	for atMost := math.Exp(just); ; rank++ {
		just += math.Log(float64(n-rank) / float64(rank+1))
		if atMost += math.Exp(just); atMost > 0.025 {
			break
		}
	}
	return sorted[rank], sorted[n-1-rank]
}

// ratios divides pass by pass, so that what slows a machine down for a while
// divides itself out.
func ratios(values, base []float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = v / base[i]
	}
	return out
}
