// Package metrics says in numbers what a snapshot of a tracker holds, in
// families for package openmetrics.
//
// Its labels are bounded: at most 50 names of pools and 50 lines are told
// apart, and what is past that is named "other".
package metrics

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"

	"github.com/dbleaks-go/dbleaks/internal/openmetrics"
	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

const (
	maxSites = 50
	maxPools = 50
	// maxValue is the length, in bytes, to which a label is cut.
	maxValue = 256
	other    = "other"
)

// Exporter makes families of the snapshots of one tracker. It remembers what
// keeps counters from going down. The zero Exporter is ready to use, by several
// goroutines at once.
type Exporter struct {
	mu    sync.Mutex      // guards the rest
	pools map[string]bool // the names that are told apart, for good
	waits waits
}

// Families takes a snapshot of the program p and returns its numbers. It takes
// one at a time: counters would go down if an older one came later.
func (e *Exporter) Families(snapshot func() tracker.Snapshot, p report.Process) []openmetrics.Family {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := snapshot()
	return slices.Concat(e.sites(s), e.totals(s), e.poolFamilies(s), own(s, p))
}

// pool is the label of a pool's name.
func (e *Exporter) pool(name string) string {
	name = label(name)
	if !e.pools[name] {
		if len(e.pools) >= maxPools {
			return other
		}
		if e.pools == nil {
			e.pools = make(map[string]bool)
		}
		e.pools[name] = true
	}
	return name
}

// label makes text fit for a label: what the other formats show, and not long.
func label(text string) string {
	return words.Cut(report.Clean(text), maxValue)
}

var siteLabels = []string{"db_name", "kind", "site", "func"}

func (e *Exporter) siteValues(pool string, kind tracker.Kind, site tracker.Frame) []string {
	return []string{e.pool(pool), kind.String(), label(report.Frame(site).ShortPlace()), label(site.Function)}
}

// sites are the numbers of what is open now. A DB is counted in a finding only:
// every program has one open.
func (e *Exporter) sites(s tracker.Snapshot) []openmetrics.Family {
	open := newTable("dbleaks_open_handles", siteLabels,
		"Handles that are open now, by the line that opened them. Overdue and leaked ones are among them.")
	overdue := newTable("dbleaks_overdue_handles", siteLabels,
		"Of the open handles, those that are held beyond their threshold and not proven leaked.")
	leaked := newTable("dbleaks_leaked_handles", siteLabels,
		"Of the open handles, those that are proven never to be given back.")
	oldest := newTable("dbleaks_oldest_open_age_seconds", siteLabels,
		"For how long the oldest of the open handles has been open, but for those marked as long-lived.")
	oldest.Unit = "seconds"
	for i, f := range ranked(s) {
		values := e.siteValues(f.Pool, f.Kind, f.Site)
		if i >= maxSites {
			values[2], values[3] = other, other
		}
		proven, late := 0, 0
		switch f.State {
		case tracker.StateLeaked:
			proven, late = f.Leaked, f.Count-f.Leaked
		case tracker.StateOverdue:
			late = f.Count
		}
		open.add(float64(f.Count), values...)
		overdue.add(float64(late), values...)
		leaked.add(float64(proven), values...)
		if f.LongLived == "" {
			oldest.most(f.Age.Seconds(), values...)
		}
	}
	return []openmetrics.Family{open.Family, overdue.Family, leaked.Family, oldest.Family}
}

// ranked lists what is open, the worst first: findings in their order, then
// what is no cause for alarm. There, a line that has more than twice as many
// handles goes first, and else it is always the same, so that what is past the
// limit doesn't change from one look to the next.
func ranked(s tracker.Snapshot) []tracker.Finding {
	open := slices.DeleteFunc(slices.Clone(s.Open), func(f tracker.Finding) bool { return f.Kind == tracker.KindDB })
	slices.SortFunc(open, func(a, b tracker.Finding) int {
		return cmp.Or(cmp.Compare(bits.Len(uint(b.Count)), bits.Len(uint(a.Count))), cmp.Compare(a.ID, b.ID))
	})
	return slices.Concat(s.Findings, open)
}

// totals are the counters of what was reported. The rest, which has no line of
// its own, is there from the start.
func (e *Exporter) totals(s tracker.Snapshot) []openmetrics.Family {
	families := []struct {
		name, help string
		count      func(tracker.Totals) uint64
	}{
		{"dbleaks_reported", "Handles that were ever reported, as overdue or leaked, by the line that opened them.",
			func(n tracker.Totals) uint64 { return n.Reported }},
		{"dbleaks_leaks", "Handles that were ever proven leaked.",
			func(n tracker.Totals) uint64 { return n.Leaked }},
		{"dbleaks_recovered", "Handles that were given back after they had been reported.",
			func(n tracker.Totals) uint64 { return n.Recovered }},
	}
	var out []openmetrics.Family
	for _, f := range families {
		t := newTable(f.name, siteLabels, f.help)
		t.Type = openmetrics.Counter
		rest := f.count(s.Totals)
		for _, n := range s.SiteTotals {
			t.add(float64(f.count(n.Totals)), e.siteValues(n.Pool, n.Kind, n.Site)...)
			rest -= min(rest, f.count(n.Totals))
		}
		t.add(float64(rest), other, other, other, other)
		out = append(out, t.Family)
	}
	return out
}
