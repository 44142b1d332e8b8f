package tracker

import (
	"maps"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// maxActive bounds the findings that are followed at a time.
const maxActive = 1000

// sweep looks at one pool, updates the findings and tells the observers. It
// runs on a timer's goroutine. It asks to be called again if handles ended
// while it looked: it may have taken them for open, and nobody else comes.
func (t *Tracker) sweep(p *record.Pool) (again bool) {
	t.emitting.Lock()
	defer t.emitting.Unlock()
	cfg, now := t.cfg.Load(), time.Now()
	defer t.sweeps.add(now)
	events, again := t.update(cfg, p, now)
	cfg.tell(events)
	return again
}

// tell tells the observers, once they have heard of what was before.
func (t *Tracker) tell(events []Event) {
	t.emitting.Lock()
	defer t.emitting.Unlock()
	t.cfg.Load().tell(events)
}

func (c *config) tell(events []Event) {
	for _, e := range events {
		for _, o := range c.observers {
			tell(o, e)
		}
	}
}

// tell keeps a panicking observer from harming the process.
func tell(o Observer, e Event) {
	defer func() { _ = recover() }()
	o.Observe(e)
}

func (t *Tracker) update(cfg *config, p *record.Pool, now time.Time) (events []Event, again bool) {
	views, counts := p.Sweep(cfg.policy, concernsSweep)
	if (unproven(views) || t.dbsGrow.Load()) && t.proveInTime(cfg) {
		views, counts = p.Sweep(cfg.policy, concernsSweep)
	}
	crowded, calming := t.crowded(cfg, p, counts, now)
	refused := t.refused(cfg, p, now)
	over := p.TakeEnded()
	stmts := cfg.growthGroups(p, views)
	reported := make(map[record.Key]bool)
	var due []record.View
	for _, v := range views {
		reported[v.Reported] = true
		if v.Overdue || v.Lost {
			due = append(due, v)
		}
	}
	p.Sampled(counts.InUse, len(due))
	alarms := cfg.groupViews(due)

	t.mu.Lock()
	defer t.mu.Unlock()
	merge(alarms, t.growth.count(p, stmts))
	again = t.note(cfg, alarms)
	events = t.merge(cfg, p, alarms, reported, over, now)
	for _, e := range over {
		// It may have been seen open, in the call that ended it, before its end was
		// taken: then its finding goes on, and nobody else comes.
		if a := t.active[e.Key]; a != nil && len(a.live) > 0 {
			again = true
		}
	}
	if wait := cfg.interval(); now.Sub(t.growth.lastDB) >= wait || now.Before(t.growth.lastDB) {
		t.growth.lastDB = now
		dbs, open := make(map[record.Key]*group), make(map[record.Key]bool)
		pools := t.reg.Pools()
		all := cfg.dbGroups(pools)
		for k := range all {
			open[k.finding] = true
		}
		growing := t.growth.count(nil, all)
		t.dbsGrow.Store(slices.ContainsFunc(growing, func(g *group) bool { return g.lost < len(g.views) }))
		merge(dbs, growing)
		merge(dbs, cfg.lostDBs(pools, growing))
		events = append(events, t.merge(cfg, nil, dbs, open, nil, now)...)
	}
	events = append(append(events, crowded...), refused...)
	return events, again || calming || t.waiting(now)
}

// concernsSweep is true for what is, was or may become a finding.
func concernsSweep(v *record.View) bool {
	return v.Overdue || v.Lost || v.Reported != "" || v.Kind == record.KindStmt
}

// merge adds groups of growing, or lost, handles to the findings they belong to.
func merge(into map[record.Key]*group, growing []*group) {
	for _, g := range growing {
		if old := into[g.key]; old != nil {
			old.views = append(old.views, g.views...)
			old.lost += g.lost
			continue
		}
		into[g.key] = g
	}
}

// note marks the handles as reported, so that their end is told, and counts
// those that are new. It reports whether some have ended since they were seen.
// If that is all there is to a finding, nobody is to hear of it.
func (t *Tracker) note(cfg *config, groups map[record.Key]*group) (ended bool) {
	for key, g := range groups {
		open := 0
		for _, v := range g.views {
			before, ok := v.Report(key)
			if !ok {
				continue
			}
			open++
			t.count(cfg, g, v, before)
		}
		ended = ended || open < len(g.views)
		if open == 0 && t.active[key] == nil {
			delete(groups, key)
		}
	}
	return ended
}

// count counts a handle that is reported as one of g, unless it was before.
func (t *Tracker) count(cfg *config, g *group, v *record.View, before record.Told) {
	var n Totals
	old := t.active[v.Reported]
	switch {
	case before == record.ToldNothing:
		g.fresh++
		n.Reported = 1
		if !v.Lost {
			n.Overdue = 1
		}
	case old != nil && v.Reported != g.key:
		g.fresh++
		old.moved++
	}
	if before < record.ToldLost && v.Lost {
		n.Leaked = 1
	}
	t.totals.add(n)
	t.sites.add(cfg, g.key, v, n)
}

// merge brings the findings up to date with what the sweep of p (nil: of the
// DBs) saw, and returns what observers are to be told. A finding isn't over
// while handles are open that were reported for it, though they may be in use
// again.
func (t *Tracker) merge(cfg *config, p *record.Pool, groups map[record.Key]*group, reported map[record.Key]bool, over []record.Ended, now time.Time) []Event {
	var events []Event
	emit := func(k EventKind, a *active) { events = append(events, a.event(k, now)) }
	for _, e := range over {
		t.totals.Recovered += uint64(e.Count)
		t.sites.recovered(e.Key, e.Count)
		if a := t.active[e.Key]; a != nil {
			a.recovered += e.Count
			a.held = max(a.held, e.Held)
			a.endedAt = now
		}
	}
	// In the order of their keys: events of one sweep come in a stable order.
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		g := groups[key]
		a := t.active[key]
		fresh := a == nil
		if fresh {
			if len(t.active) >= maxActive {
				continue
			}
			a = newActive(now)
			t.active[key] = a
		}
		if p == nil {
			t.countDBs(cfg, a, g)
		}
		a.live[p] = len(g.views)
		g.since = a.since
		a.finding = cfg.finding(g)
		a.finding.Count = 0 // also those of other pools of the name
		for _, n := range a.live {
			a.finding.Count += n
		}
		a.total += g.fresh
		a.history.note(now, a.finding.Count)
		a.finding.Change = a.history.change(now, a.finding.Count)
		switch {
		case g.lost > 0 && !a.leakedSaid:
			a.leakedSaid = true
			emit(EventLeaked, a)
		case fresh:
			emit(EventOverdue, a)
		case now.After(a.summaryAt):
			events = append(events, a.summary(now))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.active)) {
		a := t.active[key]
		if _, seen := a.live[p]; seen && groups[key] == nil && !reported[key] {
			delete(a.live, p)
		}
		if len(a.live) > 0 || a.quiet(now) {
			continue
		}
		delete(t.active, key)
		if a.recovered == 0 && a.finding.Kind != KindDB {
			if e := a.ended(now); e.Gone > 0 {
				t.over(e)
			}
			emit(EventEnded, a)
			continue
		}
		e := a.ended(now)
		a.finding = e.Finding
		t.over(e)
		emit(EventRecovered, a)
	}
	return events
}

// countDBs does for DBs what note does for other handles.
func (t *Tracker) countDBs(cfg *config, a *active, g *group) {
	overdue := len(g.views) - g.lost
	n := Totals{
		Reported: uint64(max(0, len(g.views)-a.reported)),
		Overdue:  uint64(max(0, overdue-a.overdue)),
		Leaked:   uint64(max(0, g.lost-a.lost)),
	}
	t.totals.add(n)
	t.sites.add(cfg, g.key, g.views[0], n)
	a.reported, a.overdue, a.lost = max(a.reported, len(g.views)), max(a.overdue, overdue), max(a.lost, g.lost)
}
