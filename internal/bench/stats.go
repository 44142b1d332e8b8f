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
// probability of 95 %, whatever their distribution: it is read off the sorted
// values at the ranks that a fair coin stays between.
func interval(values []float64) (low, high float64) {
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := float64(len(sorted))
	rank := max(0, int(math.Floor(n/2-1.96/2*math.Sqrt(n)))-1)
	return sorted[rank], sorted[len(sorted)-1-rank]
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
