package tracker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// steady is what holds the connections of those pools in which nothing moved
// between two looks: the same handles hold all of the connections that there
// may be, and nobody used one.
func steady(before, after map[*record.Pool]holding) map[*record.Pool]holding {
	out := make(map[*record.Pool]holding)
	for p, b := range before {
		a := after[p]
		full := func(h holding) bool {
			limit := h.stats.MaxOpenConnections
			return h.known && limit > 0 && h.stats.InUse == limit && len(h.views) == limit
		}
		if full(b) && full(a) && slices.EqualFunc(byID(b.views), byID(a.views), still) {
			out[p] = b
		}
	}
	return out
}

func byID(views []record.View) []record.View {
	return slices.SortedFunc(slices.Values(views), func(a, b record.View) int { return a.ID.Compare(b.ID) })
}

// still reports whether two views are of one handle that nobody used.
func still(a, b record.View) bool {
	return a.ID == b.ID && a.Calls == b.Calls && a.Busy == record.OpNone && b.Busy == record.OpNone
}

// deadlocks finds those of the pools that nobody will give a connection back to:
// whoever has one waits for another, of a pool that is no better. It starts with
// all that are steady, and leaves out whose holders may go on, until none is.
func (w *world) deadlocks(pools map[*record.Pool]holding) []Deadlock {
	for changed := true; changed; {
		changed = false
		for p, h := range pools {
			if slices.ContainsFunc(h.views, func(v record.View) bool { return !w.stuckIn(pools, v.Goroutine) }) {
				delete(pools, p)
				changed = true
			}
		}
	}
	var out []Deadlock
	for len(pools) > 0 {
		out = append(out, w.deadlock(w.takeCycle(pools)))
	}
	slices.SortFunc(out, func(a, b Deadlock) int { return slices.Compare(a.Pools, b.Pools) })
	return out
}

// stuckIn reports whether a goroutine waits for one of the pools, and no other
// one may be at work for it with what it holds.
func (w *world) stuckIn(pools map[*record.Pool]holding, goroutine int64) bool {
	p, by := w.poolOf(goroutine)
	if _, ok := pools[p]; !ok || by != 0 && !w.stuckIn(pools, by) {
		return false
	}
	return !slices.ContainsFunc(w.started[goroutine], func(other int64) bool { return !w.stuckIn(pools, other) })
}

// takeCycle takes from the pools one, and those that its holders wait for.
func (w *world) takeCycle(pools map[*record.Pool]holding) map[*record.Pool]holding {
	cycle := make(map[*record.Pool]holding)
	var take func(p *record.Pool)
	take = func(p *record.Pool) {
		h, ok := pools[p]
		if !ok {
			return
		}
		cycle[p] = h
		delete(pools, p)
		for _, v := range h.views {
			next, _ := w.poolOf(v.Goroutine)
			take(next)
		}
	}
	for p := range pools {
		take(p)
		break
	}
	return cycle
}

// maxMembers bounds the goroutines that are listed of a deadlock.
const maxMembers = 20

func (w *world) deadlock(pools map[*record.Pool]holding) Deadlock {
	var d Deadlock
	goroutines := make(map[int64]bool)
	for p, h := range pools {
		d.Pools = append(d.Pools, p.Name)
		for i := range h.views {
			v := &h.views[i]
			g := w.dump.Find(v.Goroutine)
			goroutines[v.Goroutine] = true
			to, by := w.poolOf(v.Goroutine)
			m := DeadlockMember{
				Goroutine: v.Goroutine, Kind: kindOf(v), Holds: frame(v.Stack.Locate(w.cfg.libraries).Site), Pool: p.Name,
				Waits: w.site(g), WaitsFor: to.Name,
			}
			if by != 0 {
				m.Behind, m.BehindAt = by, w.site(w.dump.Find(by))
			}
			d.Members = append(d.Members, m)
		}
	}
	slices.Sort(d.Pools)
	slices.SortFunc(d.Members, func(a, b DeadlockMember) int {
		return cmp.Or(cmp.Compare(a.Goroutine, b.Goroutine), strings.Compare(a.Pool, b.Pool), cmp.Compare(a.Holds.Line, b.Holds.Line))
	})
	d.Reason = fmt.Sprintf("%s all connections of %s and %s for another: none of them can come back",
		plural(len(goroutines), "goroutine holds", "goroutines hold"),
		poolList(d.Pools), map[bool]string{true: "waits", false: "wait"}[len(goroutines) == 1])
	d.Advice = deadlockAdvice(d.Members)
	d.Others = max(0, len(d.Members)-maxMembers)
	d.Members = d.Members[:len(d.Members)-d.Others]
	return d
}

func poolList(names []string) string {
	if len(names) == 1 {
		return "pool " + names[0]
	}
	return "pools " + strings.Join(names, ", ")
}

func deadlockAdvice(members []DeadlockMember) string {
	const limit = "; raising the limit only makes it rarer"
	for _, m := range members {
		if m.Kind == KindTx && m.Pool == m.WaitsFor {
			return fmt.Sprintf("run what waits at line %d on the transaction of line %d itself, or before it", m.Waits.Line, m.Holds.Line) + limit
		}
	}
	for _, m := range members {
		if (m.Kind == KindRows || m.Kind == KindRow) && m.Pool == m.WaitsFor {
			return fmt.Sprintf("read the rows of line %d to their end and close them before the query at line %d", m.Holds.Line, m.Waits.Line) + limit
		}
	}
	m := members[0]
	return fmt.Sprintf("give back the %s of line %d before asking for another connection at line %d", m.Kind, m.Holds.Line, m.Waits.Line) + limit
}
