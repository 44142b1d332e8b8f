package record

import (
	"math"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// Look describes what is in use. With sweep set it also does what a sweep
// must: it remembers the activity, and hands over aged handles to the garbage
// collector's judgement.
func (p *Pool) Look(policy Policy, sweep bool) ([]View, Counts) {
	return p.look(policy, sweep, nil)
}

// Sweep is Look with sweep set, for the views that are wanted.
func (p *Pool) Sweep(policy Policy, wanted func(*View) bool) ([]View, Counts) {
	return p.look(policy, true, wanted)
}

// look is Look for what is wanted; nil means everything.
func (p *Pool) look(policy Policy, sweep bool, wanted func(*View) bool) ([]View, Counts) {
	now, shared := p.clock.now()
	last := time.Duration(p.lastTick.Load())
	var paused time.Duration
	switch {
	case !shared:
		now, sweep = time.Duration(p.lastTick.Load()), false
	default:
		paused = p.paused(now)
	}
	if sweep {
		p.lastTick.Store(int64(now))
	}
	conns, moves := p.present()
	l := looker{
		n: Counts{Moves: moves}, now: now, last: last, paused: paused, policy: policy,
		sweep: sweep, maxAged: maxAged, alone: p.isAlone(len(conns)),
	}
	if wanted == nil {
		l.maxAged = math.MaxInt
		l.views = make([]View, 0, len(conns))
	}
	for i, c := range conns {
		if i+ahead < len(conns) {
			prefetch(conns[i+ahead])
		}
		before := len(l.views)
		l.look(c)
		if wanted != nil {
			l.keep(before, wanted)
		}
	}
	if l.soon {
		p.soon.Store(true)
	}
	return l.views, l.n
}

// paused is how long the process, or the machine, seems to have stood still
// since the last sweep or, if that is later, since the pool was armed: no
// handle was idle then.
func (p *Pool) paused(now time.Duration) time.Duration {
	late := now - time.Duration(p.lastTick.Load()) - 2*p.reg.interval()
	if !p.armed.Load() || late < 0 {
		return 0
	}
	return late + p.reg.interval()
}

// Age is the time since the pool was opened.
func (p *Pool) Age() time.Duration { return p.now() }

// startReading keeps acq and first as they are, and returns what is valid of
// them: what a connection is just being acquired for can't be told yet.
func (c *Conn) startReading() (state uint64) {
	c.mu.Lock()
	c.reading.Store(true)
	return c.state.load()
}

func (c *Conn) stopReading() {
	c.reading.Store(false)
	c.mu.Unlock()
}

// looker looks at connections, one after the other.
type looker struct {
	now, paused time.Duration
	last        time.Duration // when the last sweep was
	policy      Policy
	sweep       bool
	alone       bool // the pool has one connection
	aged        int  // what was handed over to the garbage collector
	maxAged     int
	soon        bool // another sweep is to come soon

	views []View
	n     Counts

	// Of the present connection:
	conn     *Conn
	state    uint64
	calls    uint64
	active   bool // used since the last sweep
	activeAt time.Duration
	slot     *Handle // the statement in the slot, if it is open
}

// maxAged bounds the weak pointers that a sweep by timer makes, as each may take
// a microsecond. What is over it is left to the next sweep.
const maxAged = 2_000

// ahead is how many connections before its turn each one is fetched from memory:
// most of the time that a sweep over many took was spent waiting for that.
const ahead = 2

// keep drops views past the first ones that nobody wants.
func (l *looker) keep(first int, wanted func(*View) bool) {
	kept := l.views[:first]
	for i := first; i < len(l.views); i++ {
		if wanted(&l.views[i]) {
			kept = append(kept, l.views[i])
		}
	}
	l.views = kept
}

// add adds a view that is yet to be filled. It is valid until the next one.
func (l *looker) add() *View {
	l.views = append(l.views, View{})
	return &l.views[len(l.views)-1]
}

// complete adds to a view what is the connection's.
func (l *looker) complete(v *View) {
	v.Pool, v.conn, v.ID.conn = l.conn.pool, l.conn, l.conn.id
	v.Age = max(0, l.now-v.At)
	if !l.active {
		v.Idle = max(0, l.now-max(l.activeAt, v.At))
	}
	v.Busy, v.Calls = Op(l.calls&0xff), l.calls
	if v.end.over > 0 && (v.Kind != KindConn || l.bound()) {
		v.ContextOver = max(0, l.now-v.end.over)
	}
}

// judge completes a view, and says whether it is overdue.
func (l *looker) judge(v *View) {
	l.complete(v)
	v.Deserted = l.deserted(v)
	waiting := v.Busy == OpNone && v.Threshold > 0 && (v.Idle > v.Threshold || v.Deserted)
	old := l.policy.MaxAge > 0 && v.Kind != KindStmt && v.LongLived == "" && v.Age > l.policy.MaxAge
	v.Overdue = v.Left || l.state != 0 && (waiting || old)
}

func (l *looker) look(c *Conn) {
	l.conn, l.state = c, c.startReading()
	defer c.stopReading()
	l.n.Moves.add(c, l.state)
	l.readActivity()
	root := -1
	var buf [8]*Handle
	open := buf[:0]
	if l.state&inUse != 0 {
		l.n.InUse++
		if l.sweep {
			l.sweepContexts()
		}
		open = c.openHandles(open, l.state)
		l.collect(open)
		root = l.roots(open)
	} else {
		l.n.Idle++
	}
	if root >= 0 && l.views[root].Kind == KindConn && c.maybeReturned(&l.views[root], len(open)) {
		l.views, root = slices.Delete(l.views, root, root+1), -1
	}
	for _, h := range c.stmts {
		l.stmt(h, root)
	}
	if l.slot != nil {
		l.stmt(l.slot, root)
	}
	l.sessions()
}

// readActivity also does what waited for somebody to look.
func (l *looker) readActivity() {
	c := l.conn
	switch {
	case l.state == acquiring:
		c.tellLocked() // who acquires it waits for us if there is something to tell
	case l.state == 0:
		c.tellLocked()
		c.first.forget()
		c.acq.terms, c.acq.end = nil, contextEnd{} // which know a scope, and a channel
	case l.state&firstOpen == 0 && c.first.key != "": // ended as it was reported
		c.tellEnd(&c.first.report, c.acq.At)
	}
	l.calls = c.calls.load()
	l.active = l.calls != c.seenCalls
	l.activeAt = l.now
	if l.state != acquiring {
		l.activeAt = min(l.now, c.activeAt+l.paused)
	}
	slot, state := c.slot.Load(), uint64(slotFree)
	if slot != nil {
		state = slot.state.load() // once: what ends from now on is seen, and told of next time
	}
	l.slot = nil
	if state == slotOpen {
		l.slot = &slot.h
	}
	if !l.sweep {
		return
	}
	c.settleLocked(0)
	c.flushEndsLocked()
	if slot != nil {
		slot.sweepLocked(state, l.state == 0)
	}
	c.seenCalls = l.calls
	switch {
	case l.state == acquiring:
	case l.active:
		c.activeAt = l.now
	default:
		c.activeAt = l.activeAt
	}
}

func (l *looker) stmt(h *Handle, root int) {
	isCopy := h.Stack.Origin.Method != callstack.MethodPrepare
	if !isCopy {
		l.n.Stmts++
	}
	if l.sweep && h.end.done != nil {
		l.sweepEnd(&h.end)
	}
	if root >= 0 && l.views[root].Kind != KindRows && h.seq > l.conn.acq.seq {
		l.views[root].Children = append(l.views[root].Children, h.child())
		return
	}
	v := l.add()
	h.fill(v, l.policy)
	l.judge(v)
	v.Copy, v.Deferred = isCopy, l.state != 0
	v.Recent = l.state&inUse != 0 && h.seq < l.conn.acq.seq && l.now-l.conn.acq.At < l.conn.pool.reg.interval()
}

// maybeReturned reports whether a connection that counts as in use, with nothing
// open on it, may be back in the pool: the one call that acquired it is over, or
// the Conn may be closed, and nobody tells when connections are released. root
// is what holds it.
func (c *Conn) maybeReturned(root *View, open int) bool {
	return !c.pool.returns.Load() && open == 0 && (c.wrapped || !c.acq.Stack.Origin.Conn) && root.Busy == OpNone
}
