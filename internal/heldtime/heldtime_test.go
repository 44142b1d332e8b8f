package heldtime

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	for i := range buckets - 1 {
		end := endOf(i)
		if got := bucketOf(end); got != i {
			t.Errorf("%v is in bucket %d, want %d, which ends there", end, got, i)
		}
		if got := bucketOf(end + 1); got != i+1 {
			t.Errorf("%v is in bucket %d, want %d, as bucket %d ends before", end+1, got, i+1, i)
		}
		if next := endOf(i + 1); i < buckets-2 && (next <= end || next > 2*end) {
			t.Errorf("bucket %d ends at %v, the next at %v", i, end, next)
		}
	}
	for _, d := range []time.Duration{-1, 0, 1, shortest} {
		if got := bucketOf(d); got != 0 {
			t.Errorf("%v is in bucket %d", d, got)
		}
	}
	for range 100_000 {
		d := time.Duration(rand.Int64() >> rand.IntN(63))
		if i := bucketOf(d); d > endOf(i) || i > 0 && d <= endOf(i-1) {
			t.Fatalf("%d ns is in bucket %d, which ends at %d", d, i, endOf(i))
		}
	}
	if bucketOf(math.MaxInt64) != buckets-1 {
		t.Error("the last bucket doesn't take the rest")
	}
}

func TestCounts(t *testing.T) {
	var a, b Histogram
	for _, d := range []time.Duration{time.Millisecond, time.Millisecond, time.Second} {
		a.Add(d)
	}
	if n := b.Add(time.Second); n != 1 {
		t.Errorf("%d counted, want 1", n)
	}
	b.Add(10 * time.Hour)
	var sum Counts
	sum.Add(&a)
	sum.Add(nil)
	sum.Add(&b)
	type bucket struct {
		upTo time.Duration
		n    uint64
	}
	var got []bucket
	sum.All(func(upTo time.Duration, n uint64) bool {
		got = append(got, bucket{upTo, n})
		return len(got) < 3
	})
	want := []bucket{{shortest * 64, 2}, {shortest * 65536, 2}, {math.MaxInt64, 1}}
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%v, want %v", got, want)
	}
}
