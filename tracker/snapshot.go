package tracker

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Snapshot says what is open now, and what of it is overdue or leaked. It
// changes nothing, runs no garbage collection, and takes no lock for longer
// than it takes to copy one connection's records.
func (t *Tracker) Snapshot() Snapshot {
	cfg := t.cfg.Load()
	s := Snapshot{
		TakenAt:     time.Now(),
		Since:       t.started,
		Beyond:      Beyond{Stacks: t.reg.Stacks.Overflow(), Statements: t.reg.Unlisted()},
		LeakProfile: leakProfile(),
		Thresholds: map[Kind]time.Duration{
			KindConn: cfg.policy.Conn, KindTx: cfg.policy.Tx,
			KindRows: cfg.policy.Rows, KindRow: cfg.policy.Rows,
		},
		SiteThresholds: cfg.siteThresholds(),
	}
	var alarms, open []record.View
	pools := t.reg.Pools()
	mayGrow := cfg.dbGroups(pools)
	for _, p := range pools {
		views, counts := p.Look(cfg.policy, false)
		maps.Copy(mayGrow, cfg.growthGroups(p, views))
		s.Pools = append(s.Pools, cfg.pool(p, counts))
		open = slices.Grow(open, len(views)+1)
		for i := range views {
			switch v := &views[i]; {
			case v.Overdue || v.Lost:
				alarms = append(alarms, *v)
			case !v.Copy:
				open = append(open, *v)
			}
		}
		if !p.Closed() {
			open = append(open, dbView(p))
		}
	}
	groups := cfg.groupViews(alarms)
	s.Refusals = cfg.refusals(t.reg.Refusals())
	byID := make(map[uint64]*Pool, len(s.Pools)) // until they are sorted
	for i := range s.Pools {
		byID[s.Pools[i].ID] = &s.Pools[i]
	}
	t.mu.Lock()
	s.Ended = t.justEnded()
	growing := t.growth.growing(mayGrow)
	for _, e := range slices.Backward(t.ended) {
		s.Ended = append(s.Ended, e)
	}
	s.Totals = t.totals
	s.SiteTotals = slices.Clone(t.sites.list)
	for p, e := range t.episodes {
		if of := byID[p.ID]; of != nil && of.Exhausted != nil {
			of.Exhausted.recall(e.last)
		}
	}
	if len(t.active) >= maxActive {
		for key := range groups {
			if t.active[key] == nil {
				s.Beyond.Findings++
			}
		}
	}
	t.mu.Unlock()

	if tested := t.selfTested.Load(); tested != nil {
		last := *tested
		s.SelfTest = &last
	}
	alarmed := make(map[record.ID]bool)
	growing = append(growing, cfg.lostDBs(pools, growing)...)
	for _, g := range growing {
		for _, v := range g.views {
			alarmed[v.ID] = true
		}
	}
	merge(groups, growing)
	t.recall(groups, s.TakenAt)
	usual := cfg.groupViews(slices.DeleteFunc(open, func(v record.View) bool { return alarmed[v.ID] }))
	countAlarms(byID, groups)
	slices.SortFunc(s.Pools, func(a, b Pool) int {
		return cmp.Or(exhaustedFirst(a, b), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	s.Findings = cfg.findings(groups)
	s.Open = cfg.findings(usual)
	s.Overhead = t.overhead(s.Pools)
	return s
}

// recall adds to the groups what is remembered of their findings.
func (t *Tracker) recall(groups map[record.Key]*group, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, g := range groups {
		g.change = len(g.views)
		if a := t.active[key]; a != nil {
			g.since, g.change = a.since, a.history.change(now, len(g.views))
		}
	}
}

func (c *config) findings(groups map[record.Key]*group) []Finding {
	out := make([]Finding, 0, len(groups))
	for _, g := range groups {
		f := c.finding(g)
		f.callers = callersOf(c, g)
		out = append(out, f)
	}
	sortFindings(out)
	return out
}

func (c *config) pool(p *record.Pool, n record.Counts) Pool {
	out := Pool{
		ID: p.ID, Name: p.Name, Driver: p.Driver, Source: p.Source,
		Site:     frame(p.Opened.Stack.Locate(c.libraries).Site),
		OpenedAt: p.Wall, Closed: p.Closed(), InUse: n.InUse, Idle: n.Idle, Recent: poolSamples(p),
		Open: map[Kind]int{
			KindConn: n.Conns, KindTx: n.Txs, KindRows: n.Rows, KindRow: n.Row, KindStmt: n.Stmts,
			KindSession: n.Sessions,
		},
	}
	if stats, ok := p.Stats(); ok {
		out.Stats = &stats
		if x, exhausted := p.Exhausted(n, stats); exhausted && !out.Closed {
			out.Exhausted = c.exhaustion(p, x)
		}
	}
	return out
}

// countAlarms counts for each pool, by its ID, what it has in the findings.
func countAlarms(byID map[uint64]*Pool, groups map[record.Key]*group) {
	for _, g := range groups {
		for _, v := range g.views {
			if v.Lost {
				byID[v.Pool.ID].Leaked++
			} else {
				byID[v.Pool.ID].Overdue++
			}
		}
	}
}
