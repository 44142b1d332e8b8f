package tracker

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/words"
)

// Exhaustion says that a pool is exhausted: at three looks or more, over a second
// or more, all connections that its limit allows were in use, none was acquired
// or given back in between, and calls had begun to wait for one. A pool whose
// connections come and go is never exhausted, however busy.
//
// It takes a limit ((*sql.DB).SetMaxOpenConns) and a DB that was opened with
// driverwrap.Open or OpenDB. It is an immutable value.
type Exhaustion struct {
	Pool   string // the pool's name
	PoolID uint64
	Limit  int
	// InUse counts the connections that database/sql has handed out or is
	// opening.
	InUse int
	// Since is when a connection last left the pool, which none has come back
	// to since, and For is the time since then; for EventExhaustedEnd, until
	// one came back.
	Since time.Time
	For   time.Duration
	// Waiting is how many calls have begun to wait and got no connection, as
	// far as that is known: it may be more. GaveUp tells that some of them
	// wait no more, because their contexts ended; database/sql doesn't say
	// how many.
	Waiting int
	GaveUp  bool
	// Holders are the handles that hold the connections, by site, the oldest
	// first. They need not be overdue. At most 5 sites are listed; Others
	// counts the handles of further ones.
	Holders []Holder
	Others  int
	// Growth says how that has come about in the last ten minutes, e.g. "in
	// use rose from 2 to 10 within 4m"; empty if as many were in use all the
	// time, or it isn't known.
	Growth string
	// AskedAt is when the goroutines were last looked at: as observers were
	// told; zero if they were not. As of then are what the holders' Openers do,
	// the Waiters, and the Deadlocks that the pool is part of; see [Diagnosis].
	AskedAt   time.Time
	Waiters   []Waiter
	Deadlocks []Deadlock
	// Reason says all of this but for the holders in words.
	Reason string
	// Advice is what to do about it, a line each, as far as that is known.
	Advice []string
}

// maxHolders bounds the sites that are listed as an exhausted pool's holders.
const maxHolders = 5

// calmAfter is for how long a pool may not have been exhausted before an episode
// is over: where a connection comes back every few seconds, that is one trouble,
// and not a new one each time.
const calmAfter = 10 * time.Second

// episode is a time in which a pool is exhausted, with interruptions.
type episode struct {
	last  *Exhaustion   // as last told
	began time.Duration // when a connection last left the pool, on its clock
	since time.Time     // when it was first reported
	calm  bool          // the pool was not exhausted at the last look
	over  time.Duration // since when, then, on its clock
	summaries
}

func (e *episode) event(k EventKind, now time.Time) Event {
	return Event{Kind: k, At: now, Since: e.since, Exhausted: e.last}
}

// crowded follows whether p is exhausted, by what a sweep counted, and returns
// what observers are to be told. It reports whether it waits for a pool to be
// calm: then it wants to be called again though nothing is in use.
func (t *Tracker) crowded(cfg *config, p *record.Pool, n record.Counts, now time.Time) (events []Event, waits bool) {
	x, exhausted := p.Crowded(n)
	closed := p.Closed()
	var told *Exhaustion
	if exhausted && !closed && t.tellsExhausted(p, now) {
		d, unsure := t.glance()
		if slices.Contains(unsure, p) && t.holdsBack(p, now) {
			return nil, false // the next look will tell whether it is a deadlock
		}
		told = cfg.exhaustion(p, x)
		told.ask(d)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.heldBack, p)
	e := t.episodes[p]
	switch {
	case exhausted && !closed && e == nil:
		e = &episode{last: told, began: x.Since, since: now, summaries: newSummaries(now)}
		t.episodes[p] = e
		return []Event{e.event(EventExhausted, now)}, false
	case e == nil:
		return nil, false
	case exhausted && !closed:
		e.calm = false
		if told == nil {
			return nil, false
		}
		e.last = told
		e.summedUp(now)
		return []Event{e.event(EventExhaustedOngoing, now)}, false
	case !e.calm:
		e.calm, e.over = true, p.Age()
	}
	if !closed && p.Age()-e.over < calmAfter {
		return nil, true
	}
	delete(t.episodes, p)
	e.end()
	return []Event{e.event(EventExhaustedEnd, now)}, false
}

// tellsExhausted reports whether observers are to be told that p is exhausted.
func (t *Tracker) tellsExhausted(p *record.Pool, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.episodes[p]
	return e == nil || now.After(e.summaryAt)
}

// holdsBack reports whether observers are not told yet that p is exhausted, so
// that they can be told of a deadlock with it.
func (t *Tracker) holdsBack(p *record.Pool, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first, known := t.heldBack[p]
	if !known {
		first = now
		t.heldBack[p] = now
	}
	return now.Sub(first) < 5*sureAfter // it may be too early for a look
}

// ask adds what the goroutines tell.
func (x *Exhaustion) ask(d Diagnosis) {
	x.AskedAt = d.TakenAt
	for _, p := range d.Pools {
		if p.PoolID == x.PoolID {
			x.Waiters, x.Advice = p.Waiters, p.Advice
			x.meet(p.Holders)
		}
	}
	var locked []string
	for _, l := range d.Deadlocks {
		if slices.Contains(l.Pools, x.Pool) {
			x.Deadlocks = append(x.Deadlocks, l)
			x.Reason += "; " + l.Headline() + ": " + l.Reason
			locked = append(locked, l.Advice)
		}
	}
	if len(locked) > 0 {
		x.Advice = locked // which says of the same goroutines more
	}
}

// meet adds what the openers of the same holders do.
func (x *Exhaustion) meet(known []Holder) {
	for i := range x.Holders {
		h := &x.Holders[i]
		for _, k := range known {
			if k.Handles.ID == h.Handles.ID {
				h.Openers = k.Openers
			}
		}
	}
}

// recall adds what the goroutines told when observers were last told.
func (x *Exhaustion) recall(last *Exhaustion) {
	x.AskedAt, x.Waiters, x.Deadlocks, x.Advice = last.AskedAt, last.Waiters, last.Deadlocks, last.Advice
	x.meet(last.Holders)
}

// end makes what was last told what is told of the end.
func (e *episode) end() {
	x := *e.last
	x.For = e.over - e.began
	x.Reason, x.Growth, x.Advice = fmt.Sprintf("was exhausted for %s", words.Duration(x.For)), "", nil
	x.AskedAt, x.Waiters, x.Deadlocks = time.Time{}, nil, nil
	x.Holders = slices.Clone(x.Holders)
	for i := range x.Holders {
		x.Holders[i].Openers = nil
	}
	e.last = &x
}

// exhaustion makes the value that is reported, without what the goroutines tell.
func (c *config) exhaustion(p *record.Pool, x record.Exhaustion) *Exhaustion {
	out := &Exhaustion{
		Pool: p.Name, PoolID: p.ID, Limit: x.Limit, InUse: x.InUse,
		Since: p.Wall.Add(x.Since), For: max(0, p.Age()-x.Since),
		Waiting: x.Waiting, GaveUp: x.GaveUp,
	}
	held := c.byAge(c.groupViews(p.Holders(c.policy)))
	for i, g := range held {
		if i < maxHolders {
			out.Holders = append(out.Holders, Holder{Handles: c.finding(g)})
		} else {
			out.Others += len(g.views)
		}
	}
	out.Growth = c.growth(p, x, held)
	out.Reason = out.reason()
	return out
}

// byAge sorts groups, that of the oldest handle first.
func (c *config) byAge(groups map[record.Key]*group) []*group {
	oldest := func(g *group) time.Duration {
		return slices.MaxFunc(g.views, func(a, b *record.View) int { return cmp.Compare(a.Age, b.Age) }).Age
	}
	return slices.SortedFunc(maps.Values(groups), func(a, b *group) int {
		return cmp.Or(cmp.Compare(oldest(b), oldest(a)), strings.Compare(idOf(a.key), idOf(b.key)))
	})
}

func (x *Exhaustion) reason() string {
	gaveUp := ""
	if x.GaveUp {
		gaveUp = ", of which some have given up"
	}
	return fmt.Sprintf("%d of %d connections in use, none came back for %s; at least %s begun to wait%s",
		x.InUse, x.Limit, words.Duration(x.For), plural(x.Waiting, "call has", "calls have"), gaveUp)
}

func exhaustedFirst(a, b Pool) int {
	switch {
	case (a.Exhausted != nil) == (b.Exhausted != nil):
		return 0
	case a.Exhausted != nil:
		return -1
	}
	return 1
}
