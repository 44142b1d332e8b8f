package tracker

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Scope begins a span of work, such as a request or a job, that is to give
// back what it opens. Use it as
//
//	ctx, end := tracker.Scope(ctx, "nightly export")
//	defer end()
//
// and pass the context on. Handles that are opened with it, or with a context
// derived from it, belong to the scope, and findings bear its name. What is
// open when end is called is overdue at once, "still open at the end of
// scope …", whatever its threshold, and observers hear of it ([EventScopeEnd]).
// Then the context is cancelled: database/sql closes the rows and rolls the
// transactions back, and they count as recovered. A Conn and a Stmt don't end
// with a context: they stay overdue until they are closed.
//
// Nobody is blamed for what is in a call to the database at that moment,
// perhaps to be given back, or is given back because its context ended before
// the scope did, unless it is still open a second later; nor for a statement, which may be a cache's, until a second one of the same
// line and text is left. A scope in a scope has its own handles only.
//
// What is to outlive the scope must say so, as its context would be cancelled:
// a handle that is opened with [context.WithoutCancel] doesn't end with the
// scope, and isn't reported by it. One that is [LongLived] isn't reported
// either, but ends with its context. A transaction that was begun in the scope
// without this, and is passed to a goroutine that outlives it, is reported and
// rolled back; its Commit then returns an error.
//
// end is idempotent and lets a panic pass. The name is cut to 100 bytes.
func (t *Tracker) Scope(ctx context.Context, name string) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	if t == nil || t.reg.Off() {
		return ctx, cancel
	}
	s := t.reg.NewScope(ctx, name)
	terms := termsOf(ctx)
	terms.Scope = s
	return record.WithTerms(ctx, terms), func() {
		defer cancel()
		if s.End() && s.Open() {
			t.endScope(s, cancel)
		}
	}
}

// Scope begins a scope of the default tracker; see [(*Tracker).Scope].
func Scope(ctx context.Context, name string) (_ context.Context, end func()) {
	return Default().Scope(ctx, name)
}

const (
	// scopeGrace is for handles that are just being given back as the scope
	// that they belong to ends.
	scopeGrace = time.Second
	// scopeQuiet is for how long no scope may have left a handle of a finding
	// open before the finding is over: a request that leaks comes again.
	scopeQuiet = time.Minute
	// maxStrays bounds what is kept of such handles for the end of a test.
	maxStrays = 1000
)

// stray is a handle that was open when its scope ended.
type stray struct {
	record.View
	before record.Told
}

// endScope looks first, then cancels: what is released by the end of the
// context is told as recovered.
func (t *Tracker) endScope(s *record.Scope, cancel func()) {
	// Whatever goes wrong in here, the application must not hear of it.
	defer func() { _ = recover() }()
	if t.reg.Off() {
		return
	}
	cfg := t.cfg.Load()
	held, ending := cfg.strays(s)
	marked := t.mark(cfg, held)
	cancel()
	t.blame(cfg, marked)
	if ending {
		time.AfterFunc(scopeGrace, func() {
			defer func() { _ = recover() }()
			cfg := t.cfg.Load()
			t.blame(cfg, t.mark(cfg, stuck(s.Left(cfg.policy))))
		})
	}
}

// strays are the handles that the scope holds. Others may be about to end.
func (c *config) strays(s *record.Scope) (held []record.View, ending bool) {
	known := make(map[record.ID]bool)
	for _, v := range s.Left(c.policy) {
		switch {
		case known[v.ID]:
		case v.Lost:
			held = append(held, v)
		case v.LongLived != "", v.Call():
		case v.Kind == record.KindStmt:
			if alike := c.alike(&v); len(alike) > 1 {
				held = append(held, alike...)
				for _, other := range alike {
					known[other.ID] = true
				}
			}
		case v.Ending():
			ending = true
		default:
			held = append(held, v)
		}
	}
	return held, ending
}

// alike are the statements of one line and text that scopes have left open.
func (c *config) alike(stmt *record.View) []record.View {
	var out []record.View
	views, _ := stmt.Pool.Look(c.policy, false)
	for _, v := range views {
		if v.Kind == record.KindStmt && !v.Copy && !v.Deferred && v.Stray() && v.Stack == stmt.Stack && v.Query == stmt.Query {
			out = append(out, v)
		}
	}
	return out
}

// stuck are the handles that should have ended by now.
func stuck(views []record.View) []record.View {
	var out []record.View
	for _, v := range views {
		switch {
		case !v.ContextDone():
		case v.LongLived == "" && v.Kind != record.KindStmt && !v.Call() && v.Busy == record.OpNone:
			out = append(out, v)
		}
	}
	return out
}

// mark has the end of the handles told to their findings, and these followed.
// It leaves out what has ended, or was blamed before.
func (t *Tracker) mark(cfg *config, views []record.View) []stray {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	var out []stray
	for _, v := range views {
		if v.Left {
			continue
		}
		key := cfg.keyOf(&v)
		before, open := v.Report(key)
		if !open {
			continue
		}
		out = append(out, stray{v, before})
		t.follow(key, now)
	}
	return out
}

// follow returns what is known of a finding of which a scope leaves handles
// open; nil if there are too many.
func (t *Tracker) follow(key record.Key, now time.Time) *active {
	a := t.active[key]
	if a == nil {
		if len(t.active) >= maxActive {
			return nil
		}
		a = newActive(now)
		a.untold = true
		t.active[key] = a
	}
	a.quietAt = now.Add(scopeQuiet)
	return a
}

// blame reports the handles, now that the context of their scope has ended,
// but for those that it doesn't end: they were opened for longer on purpose.
func (t *Tracker) blame(cfg *config, marked []stray) {
	if events := t.judge(cfg, marked); len(events) > 0 {
		go t.tell(events)
	}
}

func (t *Tracker) judge(cfg *config, marked []stray) []Event {
	var guilty []record.View
	left := make(map[record.ID]leftOpen)
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range marked {
		s := &marked[i]
		if !s.Lost && !s.ContextDone() {
			s.Unreport(s.before)
			continue
		}
		left[s.ID] = leftOpen{before: s.before, live: s.Leave()}
		s.Left, s.Overdue = true, true
		guilty = append(guilty, s.View)
		if g := s.Guard(); g != nil && len(t.strays[g]) < maxStrays {
			t.strays[g] = append(t.strays[g], s.View)
		}
	}
	events := t.leave(cfg, cfg.groupViews(guilty), left)
	for i := range marked {
		// Followed for those that were released.
		if key := cfg.keyOf(&marked[i].View); t.active[key] != nil && t.active[key].untold {
			delete(t.active, key)
		}
	}
	return events
}

// leftOpen is what is known of a handle that a scope left open: how it had been
// reported, and whether it is still open.
type leftOpen struct {
	before record.Told
	live   bool
}

// leave brings the findings up to date with what a scope left open, and returns
// what observers are to be told.
func (t *Tracker) leave(cfg *config, groups map[record.Key]*group, left map[record.ID]leftOpen) []Event {
	var events []Event
	now := time.Now()
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		g, a := groups[key], t.follow(key, now)
		for _, v := range g.views {
			t.count(cfg, g, v, left[v.ID].before)
			if a != nil && left[v.ID].live {
				a.live[v.Pool]++
			}
		}
		if a == nil {
			continue
		}
		a.total += g.fresh
		a.finding = cfg.finding(g)
		switch {
		case g.lost > 0 && !a.leakedSaid:
			a.leakedSaid = true
			events = append(events, a.event(EventLeaked, now))
		case a.untold:
			events = append(events, a.event(EventScopeEnd, now))
		case now.After(a.summaryAt):
			events = append(events, a.summary(now))
		}
		a.untold = false
	}
	return events
}

// quiet reports whether scopes have left handles of the finding open just now.
func (a *active) quiet(now time.Time) bool {
	// now may be of a testing/synctest bubble, which has a time of its own.
	wait := a.quietAt.Sub(now)
	return 0 < wait && wait <= scopeQuiet
}

// waiting reports whether a finding is kept only in case that a scope leaves
// handles of it open again.
func (t *Tracker) waiting(now time.Time) bool {
	for _, a := range t.active {
		if len(a.live) == 0 && a.quiet(now) {
			return true
		}
	}
	return false
}

// justEnded are the findings that are kept only for that.
func (t *Tracker) justEnded() []Ended {
	var out []Ended
	for _, a := range t.active {
		if len(a.live) == 0 && a.recovered > 0 {
			out = append(out, a.ended(a.endedAt))
		}
	}
	slices.SortFunc(out, func(a, b Ended) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Finding.ID, b.Finding.ID))
	})
	return out
}
