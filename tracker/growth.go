package tracker

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Statements and DBs may live as long as the process. What tells a leak is
// growth: several that one line opened, more at each look, none ever closed.
const (
	growthSteps = 4 // rising counts in a row that make a series
	minStmts    = 8 // live statements of one line and text
	minDBs      = 4 // live DBs of one line and data source
	maxSeries   = 512
)

// growth follows what may grow. It is guarded by the tracker's mu.
type growth struct {
	series map[growthKey]*growthSeries
	lastDB time.Time // when the DBs were last counted
}

// growthKey is what makes handles alike: they are of one finding and of one
// text (statements) or source (DBs).
type growthKey struct {
	finding record.Key
	what    string
	// pool is set for statements, which are counted pool by pool.
	pool *record.Pool
}

type growthSeries struct {
	counts []int
	ended  uint64 // of the stacks concerned, when the series began
	grows  bool   // what the last step said
}

// step takes one more count and reports whether the series is one of growth.
// Of the n, some may have been closed, which database/sql tells when their
// connection is released. ended is how many of the kind were closed up to now.
func (s *growthSeries) step(n, maybe int, ended uint64, least int) bool {
	sure := n - maybe
	last := 0
	if len(s.counts) > 0 {
		last = s.counts[len(s.counts)-1]
	}
	switch {
	case ended != s.ended:
		s.counts, s.ended, s.grows = []int{sure}, ended, false
	case n < last: // gone with their connection, which is no reason to forgive the rest
		s.lower(last - n)
	case sure > last:
		s.counts = append(s.counts, sure)
		if len(s.counts) > 8 {
			s.counts = slices.Delete(s.counts, 0, 1)
		}
	}
	s.grows = sure >= least && (s.grows || len(s.counts) >= growthSteps)
	return s.grows
}

// lower takes n off all counts of the series.
func (s *growthSeries) lower(n int) {
	kept := s.counts[:0]
	for _, c := range s.counts {
		if c > n {
			kept = append(kept, c-n)
		}
	}
	s.counts = kept
}

// count steps the series of the groups, drops those of the pool (nil: of the
// DBs) that have no group, and returns the groups that grow.
func (g *growth) count(pool *record.Pool, groups map[growthKey]*group, least int) []*group {
	if g.series == nil {
		g.series = make(map[growthKey]*growthSeries)
	}
	for k := range g.series {
		if k.pool == pool && groups[k] == nil {
			delete(g.series, k)
		}
	}
	var growing []*group
	for k, gr := range groups {
		s := g.series[k]
		if s == nil {
			if len(gr.views) < 2 || len(g.series) >= maxSeries {
				continue // most statements are alone with their text for good
			}
			s = &growthSeries{counts: []int{1}, ended: endedOf(gr.views)}
			g.series[k] = s
		}
		if s.step(len(gr.views), deferred(gr.views), endedOf(gr.views), least) {
			gr.series = slices.Clone(s.counts)
			growing = append(growing, gr)
		}
	}
	return growing
}

// growing returns those of the groups whose series grew at the last count.
func (g *growth) growing(groups map[growthKey]*group) []*group {
	var out []*group
	for k, gr := range groups {
		if s := g.series[k]; s != nil && s.grows {
			gr.series = slices.Clone(s.counts)
			out = append(out, gr)
		}
	}
	return out
}

// endedOf sums what was closed of everything opened with the groups' stacks.
func endedOf(views []*record.View) (sum uint64) {
	var seen []*callstack.Stack
	for _, v := range views {
		if !slices.Contains(seen, v.Stack) {
			seen = append(seen, v.Stack)
			sum += v.Stack.Ended.Load()
		}
	}
	return sum
}

// growthGroups groups statements by line and text.
func (c *config) growthGroups(p *record.Pool, views []record.View) map[growthKey]*group {
	groups := make(map[growthKey]*group)
	keys := make(map[likeness]record.Key)
	for i := range views {
		v := &views[i]
		if v.Kind != record.KindStmt || v.Copy || v.Left || !v.Stack.Shared {
			continue
		}
		like := likenessOf(v)
		key, known := keys[like]
		if !known {
			key = c.keyOf(v)
			keys[like] = key
		}
		addTo(groups, growthKey{finding: key, what: v.Query, pool: p}, v)
	}
	return groups
}

// dbGroups groups the DBs that were not closed by line, driver and source.
func (c *config) dbGroups(pools []*record.Pool) map[growthKey]*group {
	groups := make(map[growthKey]*group)
	for _, p := range pools {
		if p.Closed() || p.Identity == 0 || !p.Opened.Stack.Shared {
			continue
		}
		v := dbView(p)
		addTo(groups, growthKey{finding: c.keyOf(&v), what: strconv.FormatUint(p.Identity, 16)}, &v)
	}
	return groups
}

func addTo(groups map[growthKey]*group, k growthKey, v *record.View) {
	g := groups[k]
	if g == nil {
		g = &group{key: k.finding, kind: kindOf(v)}
		groups[k] = g
	}
	g.add(v)
}

// dbView makes a DB a handle like the others.
func dbView(p *record.Pool) record.View {
	stuck := p.Stuck()
	return record.View{
		Pool: p, Kind: record.KindDB, Mark: p.Opened, ID: record.PoolID(p), Age: p.Age(),
		Lost: stuck != nil, Stuck: stuck,
	}
}

// lostDBs groups the DBs that were found out of reach, but for those that are
// in one of the groups already.
func (c *config) lostDBs(pools []*record.Pool, in []*group) []*group {
	known := make(map[record.ID]bool)
	for _, g := range in {
		for _, v := range g.views {
			known[v.ID] = true
		}
	}
	var lost []record.View
	for _, p := range pools {
		if v := dbView(p); v.Lost && !p.Closed() && !known[v.ID] {
			lost = append(lost, v)
		}
	}
	return slices.Collect(maps.Values(c.groupViews(lost)))
}

// deferred counts the statements that may have been closed. Those that were
// open just now are not among them, or nothing would ever be seen to grow in a
// pool whose connections are always in use.
func deferred(views []*record.View) (n int) {
	for _, v := range views {
		if v.Deferred && !v.Recent {
			n++
		}
	}
	return n
}
