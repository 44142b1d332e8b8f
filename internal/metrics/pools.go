package metrics

import (
	"database/sql"

	"github.com/dbleaks-go/dbleaks/internal/openmetrics"
	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// The names that OpenTelemetry's conventions for database clients become in
// Prometheus: dots are underscores, and a unit in braces is dropped. The pool is
// db_name, as in all other numbers here, so that they can be joined.
const (
	otelCount = "db_client_connection_count"
	otelMax   = "db_client_connection_max"
)

// poolFamilies are the numbers of pools. Those of one name are summed up.
func (e *Exporter) poolFamilies(s tracker.Snapshot) []openmetrics.Family {
	count := newTable(otelCount, []string{"db_name", "state"}, "Connections of the pool that are in the state.")
	count.Type = openmetrics.Unknown
	name := []string{"db_name"}
	limit := newTable(otelMax, name, "Connections that the pool may have. A pool without a limit has none here.")
	pools := newTable("dbleaks_pools", name, "DBs that are open, or were closed while connections were in use.")
	exhausted := newTable("dbleaks_exhausted_pools", name,
		"Of the pools, those of which all connections are in use, none came back for a second, and somebody waits.")
	waits := newTable("dbleaks_waits", name, "How often a call had to wait for a connection.")
	waited := newTable("dbleaks_wait_seconds", name, "How long calls that have waited for a connection did so together.")
	waits.Type, waited.Type, waited.Unit = openmetrics.Counter, openmetrics.Counter, "seconds"

	e.waits.forget(s.Pools)
	for _, p := range s.Pools {
		pool := e.pool(p.Name)
		count.add(float64(p.InUse), pool, "used")
		count.add(float64(p.Idle), pool, "idle")
		pools.add(1, pool)
		exhausted.add(0, pool)
		if p.Exhausted != nil {
			exhausted.add(1, pool)
		}
		if p.Stats == nil {
			continue
		}
		if n := p.Stats.MaxOpenConnections; n > 0 {
			limit.add(float64(n), pool)
		}
		e.waits.add(pool, p.ID, p.Stats)
	}
	for _, pool := range e.waits.order {
		n := e.waits.sum[pool]
		waits.add(n.times, pool)
		waited.add(n.seconds, pool)
	}
	return []openmetrics.Family{count.Family, limit.Family, pools.Family, exhausted.Family, waits.Family, waited.Family}
}

// waits sums up what database/sql counts. Pools come and go under one name:
// what those had that are gone stays in the sum.
type waits struct {
	last  map[uint64]waited // by the pool's ID
	sum   map[string]waited // by its label
	order []string
}

type waited struct{ times, seconds float64 }

// add adds what has come since it was last called for the pool.
func (w *waits) add(pool string, id uint64, stats *sql.DBStats) {
	if w.last == nil {
		w.last, w.sum = make(map[uint64]waited), make(map[string]waited)
	}
	now, was := waited{float64(stats.WaitCount), stats.WaitDuration.Seconds()}, w.last[id]
	w.last[id] = now
	sum, ok := w.sum[pool]
	if !ok {
		w.order = append(w.order, pool)
	}
	sum.times += max(0, now.times-was.times)
	sum.seconds += max(0, now.seconds-was.seconds)
	w.sum[pool] = sum
}

// forget drops what is known of pools that are gone.
func (w *waits) forget(pools []tracker.Pool) {
	there := make(map[uint64]bool)
	for _, p := range pools {
		there[p.ID] = true
	}
	for id := range w.last {
		if !there[id] {
			delete(w.last, id)
		}
	}
}

// own are the numbers of the tracker and the program.
func own(s tracker.Snapshot, p report.Process) []openmetrics.Family {
	build := newTable("dbleaks_build", []string{"goversion", "revision"}, "Which build of the program it is.")
	build.Type = openmetrics.Info
	build.add(1, label(p.GoVersion), label(p.Revision))
	beyond := newTable("dbleaks_beyond_limits", []string{"what"},
		"What was past the limits that keep the tracker's memory bounded: stacks that were not shared, statements that were not recorded.")
	beyond.Type = openmetrics.Counter
	beyond.add(float64(s.Beyond.Stacks), "stacks")
	beyond.add(float64(s.Beyond.Statements), "statements")

	bytes := newTable("dbleaks_overhead_bytes", nil, "Memory that the tracker's records take, about.")
	bytes.Unit = "bytes"
	bytes.add(float64(s.Overhead.Bytes))
	sweeps := newTable("dbleaks_sweeps", nil, "How often the tracker has looked at a pool.")
	sweeps.Type = openmetrics.Counter
	sweeps.add(float64(s.Overhead.Sweeps))
	took := newTable("dbleaks_sweep_seconds", nil, "How long that took together, observers and goroutine dumps included.")
	took.Type, took.Unit = openmetrics.Counter, "seconds"
	took.add(s.Overhead.Took.Seconds())
	return []openmetrics.Family{build.Family, beyond.Family, bytes.Family, sweeps.Family, took.Family}
}
