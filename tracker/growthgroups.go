package tracker

import (
	"maps"
	"slices"
	"strconv"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// growthGroups groups statements by line and text, and those of a line that
// are many.
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
	maps.Copy(groups, manyTexts(p, groups))
	return groups
}

// manyTexts puts the statements of a line together, whatever their texts, where
// that makes a large number.
func manyTexts(p *record.Pool, byText map[growthKey]*group) map[growthKey]*group {
	counts := make(map[record.Key]int)
	for k, g := range byText {
		counts[k.finding] += len(g.views)
	}
	lines := make(map[growthKey]*group)
	for k, g := range byText {
		if counts[k.finding] < minTexts {
			continue
		}
		line := growthKey{finding: k.finding, texts: true, pool: p}
		for _, v := range g.views {
			addTo(lines, line, v)
		}
	}
	return lines
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
		g = &group{key: k.finding, kind: kindOf(v.Kind, v.Stack)}
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
