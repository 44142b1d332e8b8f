package main

import (
	"fmt"
	"io"
	"slices"
)

// What dbleaks may cost at most, in CPU time of the bare driver, and switched
// off.
const targetOff = 1.02

var targets = map[string]float64{
	"Query": 1.35, "QueryRow": 1.35, "Exec": 1.6, "BeginCommit": 1.2, "PrepareClose": 1.25, "Scan": 1.02,
}

// verdict is how a target is marked.
func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}

// printTargets compares what was measured under the main load with the
// targets. A peer has a row where dbleaks does not cost less than it.
func (o options) printTargets(w io.Writer, r results) {
	measured := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(o.contenders, n) })
	}
	t := table{head: []string{"target", "at most", "measured", "95 % interval", ""}}
	atMost := func(what string, limit float64, values []float64) {
		low, high := interval(values)
		mark := verdict(median(values) <= limit)
		if median(values) > limit && low <= limit {
			mark = "in doubt" // more passes, or a quieter machine, would tell
		}
		t.add(what, fmt.Sprintf("%.2f", limit), fmt.Sprintf("%.3f", median(values)),
			fmt.Sprintf("%.3f–%.3f", low, high), mark)
	}
	for _, op := range o.ops {
		unit, l := find(operations, op).unit, mainLoad(op)
		if measured(nameDbleaks) {
			atMost(unit+", × bare", targets[op], r.ratio(l, nameDbleaks))
		}
		if measured(nameOff) {
			atMost(unit+", switched off, × bare", targetOff, r.ratio(l, nameOff))
		}
		if measured(nameDbleaks, namePassThrough) {
			limit, got := median(r[l][namePassThrough].allocs()), median(r[l][nameDbleaks].allocs())
			t.add(unit+", allocations", fmt.Sprintf("%.0f", limit), fmt.Sprintf("%.0f", got), "", verdict(int(got+0.5) <= int(limit+0.5)))
		}
		for _, peer := range peers {
			if !measured(nameDbleaks, peer.name) {
				continue
			}
			values := ratios(r[l][nameDbleaks].cpu(), r[l][peer.name].cpu())
			if median(values) >= 1 {
				atMost(unit+", × "+peer.name, 1, values)
			}
		}
	}
	if len(t.rows) > 0 {
		t.write(w)
	}
}
