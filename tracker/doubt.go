package tracker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/goroutines"
	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/words"
)

// doubt says in which case what looks like a deadlock is none: the goroutines
// wait for something else than it looks, or one that isn't stuck has been handed
// what they hold.
func (w *world) doubt(x suspect, views []*record.View, stuck map[int64]bool) string {
	var doubts []string
	for _, m := range x.Members {
		if m.Via == LinkChannel {
			doubts = append(doubts, fmt.Sprintf("goroutine %d waits at %s for something else than goroutine %d", m.Goroutine, short(m.Waits), m.Behind))
			break
		}
	}
	n, such := 0, (*goroutines.Goroutine)(nil)
	for i := range w.dump.Goroutines {
		g := &w.dump.Goroutines[i]
		if i == 0 || stuck[g.ID] || w.waitsFor(g, x.pools) || !w.mayHave(g, views) {
			continue // the first one took the dump
		}
		if n++; such == nil {
			such = g
		}
	}
	if n > 0 {
		who := fmt.Sprintf("goroutine %d, %s at %s,", such.ID, words.Doing(such.State, "", such.Wait), short(w.site(such)))
		if n > 1 {
			who = fmt.Sprintf("another goroutine (%d may go on, such as %s)", n, strings.TrimSuffix(who, ","))
		}
		doubts = append(doubts, who+" has been handed what they hold")
	}
	return strings.Join(doubts, ", or ")
}

// waitsFor reports whether g itself waits for a connection of one of the pools.
func (w *world) waitsFor(g *goroutines.Goroutine, pools []*record.Pool) bool {
	to, ok := w.waits[g.ID]
	return ok && to.by == 0 && slices.Contains(pools, to.pool)
}

// mayHave reports whether a goroutine may have got one of the handles from who
// opened it, and may go on: it is in a function of the application, and has run
// since.
func (w *world) mayHave(g *goroutines.Goroutine, views []*record.View) bool {
	if g.Leaked || w.innermost(g) < 0 || !w.atWork(g) {
		return false
	}
	switch g.State {
	case "select (no cases)", "chan receive (nil chan)", "chan send (nil chan)":
		return false
	}
	for _, v := range views {
		if g.Wait < v.Age {
			return true
		}
	}
	return false
}
