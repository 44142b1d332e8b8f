package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// sweeps measures the CPU time of the sweeps over many open rows, and for how
// long they hold up queries.
func sweeps(ctx context.Context, n sizes, t *table) error {
	on, err := sweptAtLeisure(ctx, n, true)
	if err != nil {
		return err
	}
	bare, err := sweptAtLeisure(ctx, n, false)
	if err != nil {
		return err
	}
	limit := float64(targetSweep) / 1e6 * float64(n.swept) / 100_000
	for _, row := range []struct {
		what string
		ms   float64
	}{
		{fmt.Sprintf("ms of CPU of the first sweep over %d rows", n.swept), on.cpu[0]},
		{"ms of CPU of each sweep after that", median(on.cpu[1:])},
	} {
		t.limit(row.what, fmt.Sprintf("%.3g", limit), fmt.Sprintf("%.1f", row.ms), row.ms <= limit)
	}
	t.add("ms that the slowest query of an interval took meanwhile", "", fmt.Sprintf("%.2f", median(on.slowest)), "")
	t.add("the same on the bare driver", "", fmt.Sprintf("%.2f", median(bare.slowest)), "")
	return nil
}

// swept is what some intervals between sweeps saw, in milliseconds.
type swept struct {
	cpu     []float64 // used in an interval without queries
	slowest []float64 // query of an interval
}

var errTooSlow = errors.New("the machine is too slow, or too busy")

// sweptAtLeisure gives a busy machine longer intervals, up to the longest that
// a tracker takes.
func sweptAtLeisure(ctx context.Context, n sizes, recorded bool) (swept, error) {
	for interval := n.interval; ; interval *= 2 {
		s, err := sweptEvery(ctx, interval, n.swept, recorded)
		if !errors.Is(err, errTooSlow) || interval > 2*time.Second {
			return s, err
		}
	}
}

// sweptEvery opens rows and watches the sweeps over them. A pool is swept at
// fixed intervals from its first use on, and does nothing else: what the
// process uses from the middle of one interval to that of the next is the cost
// of the sweep in between.
func sweptEvery(ctx context.Context, interval time.Duration, handles int, recorded bool) (s swept, err error) {
	// Nothing but the interval depends on this threshold: no Conn is held.
	h, err := hold(ctx, recorded, handles+1, tracker.WithKindThreshold(tracker.KindConn, 4*interval))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if recorded {
		// The timer that the connections started finds nothing in use and ends.
		wait(ctx, time.Now().Add(3*interval/2))
	}
	start := time.Now()
	if err := h.open(handles, 16, openRows); err != nil {
		return s, err
	}
	debug.FreeOSMemory() // of the opening; else the runtime does it in the intervals
	middle := func(k int) time.Time { return start.Add(interval/2 + time.Duration(k)*interval) }
	if time.Now().After(middle(0)) {
		return s, fmt.Errorf("opening %d rows took %v: %w", handles, time.Since(start), errTooSlow)
	}
	if recorded {
		wait(ctx, middle(0))
		for k := range 4 {
			before := cpuTime()
			wait(ctx, middle(k+1))
			s.cpu = append(s.cpu, float64(cpuTime()-before)/1e6)
		}
	}
	for range 3 {
		longest, err := longestQuery(h, interval)
		if err != nil {
			return s, err
		}
		s.slowest = append(s.slowest, float64(longest)/1e6)
	}
	return s, ctx.Err()
}

// longestQuery is the longest time that one of many queries took, one after
// another for a time.
func longestQuery(h *holder, during time.Duration) (longest time.Duration, err error) {
	for start, now := time.Now(), time.Now(); now.Sub(start) < during; {
		if err := queryRow(h.db); err != nil {
			return 0, err
		}
		end := time.Now()
		longest = max(longest, end.Sub(now))
		now = end
	}
	return longest, nil
}

// wait waits until a time, or the context's end.
func wait(ctx context.Context, until time.Time) {
	select {
	case <-time.After(time.Until(until)):
	case <-ctx.Done():
	}
}

// snapshots measures how long a snapshot of many open rows takes.
func snapshots(ctx context.Context, n sizes, t *table) error {
	h, err := hold(ctx, true, n.snapshot)
	if err != nil {
		return err
	}
	if err := h.open(n.snapshot, 100, openRows); err != nil {
		return err
	}
	heap()
	var took []float64
	for range 8 {
		start := time.Now()
		if got := h.tracker.Snapshot().Pools[0].Open[tracker.KindRows]; got != n.snapshot {
			return fmt.Errorf("the snapshot shows %d open rows of %d", got, n.snapshot)
		}
		took = append(took, float64(time.Since(start))/1e6)
	}
	limit := float64(targetSnapshot) / 1e6 * float64(n.snapshot) / 50_000
	for _, row := range []struct {
		what string
		ms   float64
	}{
		{fmt.Sprintf("ms of the first snapshot of %d rows of 100 sites", n.snapshot), took[0]},
		{"ms of each snapshot after that", median(took[1:])},
	} {
		t.limit(row.what, fmt.Sprintf("%.3g", limit), fmt.Sprintf("%.0f", row.ms), row.ms <= limit)
	}
	return h.close()
}
