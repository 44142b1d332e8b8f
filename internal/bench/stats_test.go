package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQuantile(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		q      float64
		want   float64
	}{
		{nil, 0.5, math.NaN()},
		{[]float64{7}, 0.99, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{4, 1, 3, 2}, 0, 1},
		{[]float64{4, 1, 3, 2}, 1, 4},
		{[]float64{0, 100}, 0.99, 99},
	} {
		before := slices.Clone(tt.values)
		if got := quantile(tt.values, tt.q); got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("quantile(%v, %v) = %v, want %v", tt.values, tt.q, got, tt.want)
		}
		if !slices.Equal(tt.values, before) {
			t.Errorf("quantile sorted its argument: %v", tt.values)
		}
	}
}

func TestInterval(t *testing.T) {
	if low, high := interval(nil); !math.IsNaN(low) || !math.IsNaN(high) {
		t.Errorf("of nothing: %v, %v", low, high)
	}
	if low, high := interval([]float64{5, 4, 6}); low != 4 || high != 6 {
		t.Errorf("of few values: %v, %v, want all", low, high)
	}
	// It must hold the true median in about 95 of 100 samples, or a little
	// more, however skewed the distribution is.
	for _, n := range []int{10, 25, 100, 1500} {
		r := rand.New(rand.NewPCG(1, uint64(n)))
		const rounds = 4000
		hits := 0
		for range rounds {
			values := make([]float64, n)
			for i := range values {
				values[i] = math.Exp(3 * r.NormFloat64()) // its median is 1
			}
			if low, high := interval(values); low <= 1 && 1 <= high {
				hits++
			}
		}
		if share := float64(hits) / rounds; share < 0.94 || share > 0.985 {
			t.Errorf("%d values: %.3f of the intervals hold the median", n, share)
		}
	}
}

func TestRatios(t *testing.T) {
	if got := ratios([]float64{2, 9}, []float64{1, 3}); !slices.Equal(got, []float64{2, 3}) {
		t.Errorf("got %v", got)
	}
}

func TestThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 46550: "46550", 77.23: "77.2", 7.752: "7.75", 0.01234: "0.0123", -5.5: "-5.50", 100: "100"} {
		if got := threeDigits(v); got != want {
			t.Errorf("threeDigits(%v) = %q, want %q", v, got, want)
		}
	}
}
