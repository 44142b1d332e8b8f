package tracker

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// steady is what holds the connections of those pools in which nothing moved
// between two looks: the same handles hold all of the connections that there
// may be, or more where the limit was lowered, and nobody used one.
func steady(before, after map[*record.Pool]holding) map[*record.Pool]holding {
	out := make(map[*record.Pool]holding)
	for p, b := range before {
		a := after[p]
		full := func(h holding) bool {
			limit, n := h.stats.MaxOpenConnections, h.stats.InUse
			return h.known && limit > 0 && n >= limit && n == len(h.views)
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
// whoever has one waits for another, of a pool that is no better. Those that
// are one only if the guesses are right come last.
func (w *world) deadlocks(pools map[*record.Pool]holding) []suspect {
	if len(w.waits) == 0 {
		return nil
	}
	left := maps.Clone(pools)
	out := w.locked(pools)
	for _, x := range out {
		for _, p := range x.pools {
			delete(left, p)
		}
	}
	for id, to := range w.guesses {
		if _, known := w.waits[id]; !known {
			w.waits[id] = to
		}
	}
	return append(out, w.locked(left)...)
}

// locked starts with all pools, and leaves out whose holders may go on, until
// none is.
func (w *world) locked(pools map[*record.Pool]holding) (out []suspect) {
	var stuck map[int64]bool
	for changed := true; changed; {
		changed = false
		stuck = w.stuckIn(pools)
		for p, h := range pools {
			if slices.ContainsFunc(h.views, func(v record.View) bool { return !w.allStuck(stuck, &v) }) {
				delete(pools, p)
				changed = true
			}
		}
	}
	for len(pools) > 0 {
		out = append(out, w.deadlock(w.takeCycle(pools), stuck))
	}
	return out
}

// allStuck reports whether all are stuck who use a handle: who opened it, and
// who opened others inside of it.
func (w *world) allStuck(stuck map[int64]bool, v *record.View) bool {
	return stuck[v.Goroutine] && !v.Lost && !slices.ContainsFunc(v.Children, func(c record.ChildView) bool {
		return c.Kind != record.KindStmt && !stuck[c.Goroutine] && w.dump.Find(c.Goroutine) != nil
	})
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
			take(w.waits[v.Goroutine].pool)
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

func (w *world) deadlock(pools map[*record.Pool]holding, stuck map[int64]bool) suspect {
	var out suspect
	var views []*record.View
	for p, h := range pools {
		out.pools = append(out.pools, p)
		out.Pools = append(out.Pools, p.Name)
		for i := range h.views {
			views = append(views, &h.views[i])
		}
	}
	slices.Sort(out.Pools)
	slices.SortFunc(views, func(a, b *record.View) int {
		return cmp.Or(cmp.Compare(a.Goroutine, b.Goroutine), strings.Compare(a.Pool.Name, b.Pool.Name), a.ID.Compare(b.ID))
	})
	goroutines := make(map[int64]bool)
	for _, v := range views {
		goroutines[v.Goroutine] = true
		out.Members = append(out.Members, w.member(v))
	}
	out.key = keyOfSuspect(out.Members, views)
	out.Reason = fmt.Sprintf("%s all connections of %s and %s for another: none comes back until one of them gives up",
		plural(len(goroutines), "goroutine holds", "goroutines hold"),
		poolList(out.Pools), map[bool]string{true: "waits", false: "wait"}[len(goroutines) == 1])
	if out.Doubt = w.doubt(out, views, stuck); out.Doubt != "" {
		out.Reason += ", unless " + out.Doubt
	}
	out.Advice = deadlockAdvice(out.Members)
	out.Others = max(0, len(out.Members)-maxMembers)
	out.Members = out.Members[:len(out.Members)-out.Others]
	return out
}

func (w *world) member(v *record.View) DeadlockMember {
	g, to := w.dump.Find(v.Goroutine), w.waits[v.Goroutine]
	m := DeadlockMember{
		Goroutine: v.Goroutine, Kind: kindOf(v.Kind, v.Stack), Holds: frame(v.Stack.Locate(w.cfg.libraries).Site), Pool: v.Pool.Name,
		Waits: w.waitsAt(g, to), WaitsFor: to.pool.Name,
	}
	if to.by != 0 {
		m.Behind, m.BehindAt, m.Via = to.by, w.site(w.dump.Find(to.by)), to.via
	}
	return m
}

func poolList(names []string) string {
	if len(names) == 1 {
		return "pool " + names[0]
	}
	return "pools " + strings.Join(names, ", ")
}
