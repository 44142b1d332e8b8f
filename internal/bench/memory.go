package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// handleBytes measures what an open handle of each kind adds to that of the
// bare driver, and what a connection does.
func handleBytes(ctx context.Context, n sizes, t *table) error {
	// A tracker's timer keeps some of a pool for a while after its end. So that
	// it isn't freed while another is measured, all are kept to the end.
	var kept []*holder
	defer func() { runtime.KeepAlive(kept) }()
	for _, kind := range []struct {
		name string
		open func(db *sql.DB) (io.Closer, error)
	}{
		{"rows", openRows}, {"transaction", openTx}, {"connection in use", openConn}, {"statement", openStmt},
	} {
		// The first time is not measured: what the runtime and database/sql
		// keep for ever, such as ended goroutines, is there after it.
		var idle, open [3]float64
		for i, recorded := range []bool{false, false, true} {
			before := heap()
			h, err := hold(ctx, recorded, n.live)
			if err != nil {
				return err
			}
			kept = append(kept, h)
			idle[i] = heap() - before
			if err := h.open(n.live, 16, kind.open); err != nil {
				return err
			}
			open[i] = heap() - before - idle[i]
			if err := h.close(); err != nil {
				return err
			}
		}
		per := func(v [3]float64) float64 { return (v[2] - v[1]) / float64(n.live) }
		if kind.name == "rows" {
			t.add(fmt.Sprintf("bytes per idle connection, of %d", n.live), "", fmt.Sprintf("%.0f", per(idle)), "")
		}
		t.limit(fmt.Sprintf("bytes per open handle, of %d: %s", n.live, kind.name), fmt.Sprint(targetHandle),
			fmt.Sprintf("%.0f", per(open)), per(open) <= targetHandle)
	}
	return nil
}

// siteBytes measures what is kept of a call stack once its handles are closed.
func siteBytes(ctx context.Context, n sizes, t *table) error {
	h, err := hold(ctx, true, n.sites)
	if err != nil {
		return err
	}
	if err := errors.Join(h.open(1, 1, openRows), h.release()); err != nil {
		return err
	}
	before := heap()
	for _, when := range []string{"captured", "captured and reported"} {
		if err := h.open(n.sites, n.sites, openRows); err != nil {
			return err
		}
		if when != "captured" {
			h.tracker.Snapshot()
		}
		if err := h.release(); err != nil {
			return err
		}
		// What the connections keep for their next handles isn't the sites'.
		per := (heap() - before) / float64(n.sites)
		t.limit(fmt.Sprintf("bytes per site, of %d, %d callers deep: %s", n.sites, mainDepth, when),
			fmt.Sprint(targetSite), fmt.Sprintf("%.0f", per), per <= targetSite)
	}
	return h.close()
}

// growth measures what is left of a great number of operations.
func growth(ctx context.Context, n sizes, t *table) error {
	h, err := hold(ctx, true, 4)
	if err != nil {
		return err
	}
	var after [2]float64
	for i, ops := range []int{n.queries / 10, n.queries} {
		for k := range ops {
			if err := errors.Join(operations[k%5].run(h.db), ctx.Err()); err != nil {
				return err
			}
			// The goroutine of a transaction ends, to be used again: the
			// runtime keeps as many as there ever were at a time.
			runtime.Gosched()
		}
		after[i] = heap()
	}
	const limit = 64 << 10 // less than a byte each; the runtime keeps some goroutines
	grown := after[1] - after[0]
	t.limit(fmt.Sprintf("bytes grown in %d operations", n.queries), fmt.Sprint(limit), fmt.Sprintf("%.0f", grown), grown <= limit)
	return h.close()
}
