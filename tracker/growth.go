package tracker

import (
	"slices"
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

	// Of many texts, one line may prepare one each and keep it, as a cache does
	// until it knows them all: that is no leak until it is a large number, and
	// has been rising for long, two minutes by the usual sweeps.
	minTexts   = 1000
	textsSteps = 24
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
	// texts is set for all statements of a line, whatever their text.
	texts bool
	// pool is set for statements, which are counted pool by pool.
	pool *record.Pool
}

// needs is how many there must be, and how often they must have risen.
func (k growthKey) needs() (least, steps int) {
	switch {
	case k.texts:
		return minTexts, textsSteps
	case k.pool != nil:
		return minStmts, growthSteps
	}
	return minDBs, growthSteps
}

type growthSeries struct {
	counts []int  // the latest ones
	rises  int    // how many there were
	ended  uint64 // of the stacks concerned, when the series began
	grows  bool   // what the last step said
}

// step takes one more count and reports whether the series is one of growth.
// Of the n, some may have been closed, which database/sql tells when their
// connection is released. ended is how many of the kind were closed up to now.
func (s *growthSeries) step(n, maybe int, ended uint64, least, steps int) bool {
	sure := n - maybe
	last := 0
	if len(s.counts) > 0 {
		last = s.counts[len(s.counts)-1]
	}
	switch {
	case ended != s.ended:
		s.counts, s.rises, s.ended, s.grows = []int{sure}, 1, ended, false
	case n < last: // gone with their connection, which is no reason to forgive the rest
		s.lower(last - n)
	case sure > last:
		s.counts = append(s.counts, sure)
		s.rises++
		if len(s.counts) > 8 {
			s.counts = slices.Delete(s.counts, 0, 1)
		}
	}
	s.grows = sure >= least && (s.grows || s.rises >= steps)
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
	s.rises -= len(s.counts) - len(kept)
	s.counts = kept
}

// count steps the series of the groups, drops those of the pool (nil: of the
// DBs) that have no group, and returns the groups that grow.
func (g *growth) count(pool *record.Pool, groups map[growthKey]*group) []*group {
	if g.series == nil {
		g.series = make(map[growthKey]*growthSeries)
	}
	for k := range g.series {
		if k.pool == pool && groups[k] == nil {
			delete(g.series, k)
		}
	}
	for k, gr := range groups {
		s := g.series[k]
		if s == nil {
			if len(gr.views) < 2 || len(g.series) >= maxSeries {
				continue // most statements are alone with their text for good
			}
			s = &growthSeries{counts: []int{1}, rises: 1, ended: endedOf(gr.views)}
			g.series[k] = s
		}
		least, steps := k.needs()
		s.step(len(gr.views), deferred(gr.views), endedOf(gr.views), least, steps)
	}
	return g.growing(groups)
}

// growing returns those of the groups whose series grew at the last count; of
// the many texts of a line, only what isn't in a group of its own text.
func (g *growth) growing(groups map[growthKey]*group) []*group {
	var out, texts []*group
	told := make(map[record.ID]bool)
	for k, gr := range groups {
		s := g.series[k]
		if s == nil || !s.grows {
			continue
		}
		gr.series = slices.Clone(s.counts)
		if k.texts {
			texts = append(texts, gr)
			continue
		}
		out = append(out, gr)
		for _, v := range gr.views {
			told[v.ID] = true
		}
	}
	for _, gr := range texts {
		gr.views = slices.DeleteFunc(gr.views, func(v *record.View) bool { return told[v.ID] })
		if len(gr.views) > 0 {
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
