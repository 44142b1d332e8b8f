package record

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// Scope is a span of work that owns the handles opened in it: a request, a
// job, or, as a guard, a test. A handle belongs to the innermost scope of its
// context. The methods of a nil Scope say that it is none.
type Scope struct {
	reg    *Registry
	parent *Scope // of the context or, for lack of one, of the goroutine
	guard  bool
	name   atomic.Pointer[string]
	open   atomic.Int64 // handles and connections in use
	over   atomic.Bool
	last   atomic.Pointer[Terms] // of a handle without labels, to be shared
}

// NewScope begins a scope in ctx.
func (r *Registry) NewScope(ctx context.Context, name string) *Scope {
	s := &Scope{reg: r}
	if t := TermsOf(ctx); t != nil {
		s.parent = t.Scope
	}
	if s.parent == nil {
		s.parent = inherited()
	}
	s.SetName(name)
	return s
}

// Name is what the scope is called in reports.
func (s *Scope) Name() string { return *s.name.Load() }

// SetName renames the scope.
func (s *Scope) SetName(name string) {
	name = Clip(name)
	s.name.Store(&name)
}

// End marks the scope as over. It returns false if it was before.
func (s *Scope) End() bool { return s.over.CompareAndSwap(false, true) }

// Open reports whether anything that belongs to the scope is open.
func (s *Scope) Open() bool { return s.open.Load() > 0 }

func (s *Scope) count(n int64) {
	if s != nil {
		s.open.Add(n)
	}
}

// workOf is the innermost scope of the registry that is no guard.
func (s *Scope) workOf(r *Registry) *Scope {
	for s != nil && (s.guard || s.reg != r) {
		s = s.parent
	}
	return s
}

// guardOf is the innermost guard of the registry that is not over.
func (s *Scope) guardOf(r *Registry) *Scope {
	for s != nil && (!s.guard || s.reg != r || s.over.Load()) {
		s = s.parent
	}
	return s
}

func (s *Scope) owns(t *Terms) bool { return t != nil && (t.Scope == s || t.guard == s) }

// Left describes what belongs to the scope and is open: of each connection
// the outermost handle, with what is open inside. What database/sql prepared
// by itself on another connection belongs to nobody.
func (s *Scope) Left(policy Policy) []View {
	var views []View
	for _, p := range s.reg.Pools() {
		now := p.now()
		for _, c := range p.list() {
			views = c.leftOf(s, views, policy, now)
		}
	}
	return views
}

// DBs are the pools that were opened in the guard and are not closed.
func (s *Scope) DBs() []*Pool {
	var own []*Pool
	for _, p := range s.reg.Pools() {
		if p.guard == s && !p.Closed() {
			own = append(own, p)
		}
	}
	return own
}

func (c *Conn) leftOf(s *Scope, views []View, policy Policy, now time.Duration) []View {
	state := c.startReading()
	defer c.stopReading()
	l := looker{now: now, conn: c, state: state, calls: c.calls.load()}
	l.active = state == acquiring || l.calls != c.seenCalls
	if !l.active {
		l.activeAt = c.activeAt
	}
	add := func(v View) {
		l.complete(&v)
		views = append(views, v)
	}
	c.eachLeft(func(d *dirtySession, left *leftBehind) {
		if s.owns(left.terms) {
			var v View
			left.fill(&v, d, now, policy)
			add(v)
		}
	})
	var root *View
	if state&inUse != 0 {
		var lost []*Handle
		root, lost = c.rootOf(s, c.openHandles(nil, state), l.calls, policy)
		for _, h := range lost {
			add(h.view(policy))
		}
	}
	for _, h := range c.stmts {
		switch {
		case !s.owns(h.terms), h.Stack.Origin.Method != callstack.MethodPrepare:
		case root != nil && root.Kind != KindRows && h.seq > c.acq.seq:
			root.Children = append(root.Children, h.child())
		default:
			v := h.view(policy)
			v.Deferred = state != 0
			if state&inUse != 0 {
				v.Holder = c.acq.seq
			}
			add(v)
		}
	}
	if root != nil {
		add(*root)
	}
	return views
}

// rootOf finds what of the scope holds the connection: what is proven lost
// alone, else the outermost handle.
func (c *Conn) rootOf(s *Scope, open []*Handle, calls uint64, policy Policy) (root *View, lost []*Handle) {
	var outer *Handle
	for _, h := range open {
		switch {
		case !s.owns(h.terms):
		case h.lost:
			lost = append(lost, h)
		case outer == nil, h.kind == KindTx && outer.kind != KindTx, h.kind == outer.kind && h.seq < outer.seq:
			outer = h
		}
	}
	var v View
	switch own := s.owns(c.acq.terms); {
	case len(lost) > 0:
		return nil, lost
	case own && (c.acq.Stack.Origin.Conn || len(open) == 0):
		v = c.acq.view(policy)
		v.Busy = Op(calls & 0xff)
		if c.maybeReturned(&v, len(open)) {
			return nil, nil
		}
		outer = nil
	case outer != nil:
		v = outer.view(policy)
	default:
		return nil, nil
	}
	for _, h := range open {
		if h == outer || v.Kind == KindRows && !s.owns(h.terms) {
			continue
		}
		v.Children = append(v.Children, h.child())
		if h.terms != nil && h.terms.LongLived != "" {
			v.LongLived = h.terms.LongLived // and so is what holds it
		}
	}
	return &v, nil
}

// Ending reports whether the handle may be given back at any moment: somebody
// is using it, perhaps to end it, or its context is over, so that database/sql
// ends it.
func (v *View) Ending() bool { return v.Busy != OpNone || v.ContextDone() }

// Call reports whether the view is of a call in progress, which holds its
// connection for as long as it takes.
func (v *View) Call() bool { return v.Kind == KindConn && !v.Stack.Origin.Conn }

// ContextDone reports whether the context that the handle was opened with is
// known to be over.
func (v *View) ContextDone() bool {
	_, shared := v.Pool.time()
	return shared && v.end.ended()
}

// Stray reports whether the scope that the handle belongs to is over.
func (v *View) Stray() bool {
	return v.terms != nil && v.terms.Scope != nil && v.terms.Scope.over.Load()
}

// Guard is the test that the handle belongs to, if it still runs, or nil.
func (v *View) Guard() *Scope {
	if v.terms == nil || v.terms.guard == nil || v.terms.guard.over.Load() {
		return nil
	}
	return v.terms.guard
}

// Leave marks the handle as left open by its scope. It returns false if it
// has ended.
func (v *View) Leave() bool { return v.update(func(r *report) { r.left = true }) }

// Unreport undoes the Report that returned before.
func (v *View) Unreport(before Told) {
	if before == ToldNothing {
		v.update(func(r *report) { *r = report{} })
	}
}

// update changes how the handle was reported. It returns false if it has ended.
func (v *View) update(f func(*report)) bool {
	state := v.conn.startReading()
	defer v.conn.stopReading()
	r := v.conn.reportOf(v, state)
	if r == nil {
		return false
	}
	f(r)
	return true
}
