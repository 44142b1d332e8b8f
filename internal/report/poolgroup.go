package report

import "maps"

// PoolGroup is a number of pools that are alike: a line that opens a DB per
// request makes hundreds. Its counts, times and limit are sums.
type PoolGroup struct {
	Pool
	Count int
}

// PoolGroups puts the pools of one name, driver, source, site and state
// together, in the order of the first of each.
func (d Document) PoolGroups() []PoolGroup {
	type likeness struct {
		name, driver, source string
		site                 Frame
		closed, stats        bool
		limited, exhausted   bool
	}
	var groups []PoolGroup
	index := map[likeness]int{}
	for _, p := range d.Pools {
		k := likeness{p.Name, p.Driver, p.Source, p.Site, p.Closed, p.Stats != nil, p.Stats != nil && p.Stats.MaxOpen > 0, p.Exhausted != nil}
		i, ok := index[k]
		if !ok {
			index[k] = len(groups)
			groups = append(groups, newPoolGroup(p))
			continue
		}
		groups[i].add(p)
	}
	return groups
}

// newPoolGroup copies what add changes.
func newPoolGroup(p Pool) PoolGroup {
	p.Open = maps.Clone(p.Open)
	if p.Stats != nil {
		stats := *p.Stats
		p.Stats = &stats
	}
	return PoolGroup{Pool: p, Count: 1}
}

func (g *PoolGroup) add(p Pool) {
	g.Count++
	g.InUse += p.InUse
	g.Idle += p.Idle
	g.Overdue += p.Overdue
	g.Leaked += p.Leaked
	for k, n := range p.Open {
		if g.Open == nil {
			g.Open = map[string]int{}
		}
		g.Open[k] += n
	}
	if p.Stats != nil {
		g.Stats.MaxOpen += p.Stats.MaxOpen
		g.Stats.Waits += p.Stats.Waits
		g.Stats.WaitSeconds += p.Stats.WaitSeconds
	}
}
