package record

import (
	"cmp"
	"time"
	"weak"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// Policy is what decides whether a handle is overdue; 0 means never.
type Policy struct {
	Conn, Tx, Rows time.Duration // without activity
	MaxAge         time.Duration // with or without
}

func (p Policy) threshold(k Kind, t *Terms) time.Duration {
	if t != nil && t.LongLived != "" {
		return 0
	}
	if t != nil && t.HasThreshold && k != KindStmt {
		return t.Threshold
	}
	switch k {
	case KindConn:
		return p.Conn
	case KindTx:
		return p.Tx
	case KindRows:
		return p.Rows
	}
	return 0
}

// View is a copy of one root cause: a handle with what is open inside it, or
// a connection in use.
type View struct {
	Mark
	Pool *Pool
	// ID identifies the handle in its registry.
	ID        ID
	Kind      Kind
	Query     string
	LongLived string
	// Scope is the name of the scope that the handle belongs to, and Labels
	// what the application calls it.
	Scope  string
	Labels []Label
	// Left: open though the scope that it belongs to is over.
	Left      bool
	Age, Idle time.Duration
	Threshold time.Duration
	Busy      Op // the driver call in progress
	// Overdue: held without activity for longer than its threshold, or
	// longer than the maximum age. Lost: proven never to be given back, by
	// the garbage collector unless Stuck is set.
	Overdue, Lost bool
	Stuck         *Stuck
	// Copy is set for a statement that database/sql prepared again on
	// another connection: the application holds one Stmt for all of them.
	Copy bool
	// Deferred is set for a statement on a connection in use. The application
	// may have closed it: database/sql tells the driver when the connection
	// is released.
	Deferred bool
	// Holder tells the acquires of a deferred statement's connection apart:
	// the statement was not closed before the present one.
	Holder uint64
	// Reported is the finding that the handle was reported under, if any; it
	// may have been used again since.
	Reported Key
	Children []ChildView

	terms  *Terms
	conn   *Conn
	handle *Handle // nil if the view is of an acquire
}

// ID identifies a handle in its registry. The zero ID is no handle's.
type ID struct{ conn, seq uint64 }

// Compare orders IDs by age of the connection, then of the handle.
func (a ID) Compare(b ID) int {
	return cmp.Or(cmp.Compare(a.conn, b.conn), cmp.Compare(a.seq, b.seq))
}

// ChildView is a handle inside another.
type ChildView struct {
	Kind  Kind
	Stack *callstack.Stack
	Query string
}

// WallClock is when the handle was opened, by the wall clock.
func (v *View) WallClock() time.Time { return v.Pool.Wall.Add(v.At) }

// Counts are the physical connections and open handles of a pool.
type Counts struct {
	InUse, Idle                  int
	Conns, Txs, Rows, Row, Stmts int // handles
}

// Look describes what is in use. With sweep set it also does what a sweep
// must: it remembers the activity, and hands over aged handles to the garbage
// collector's judgement.
func (p *Pool) Look(policy Policy, sweep bool) ([]View, Counts) {
	now, shared := p.clock.now()
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
	var views []View
	var n Counts
	for _, c := range p.list() {
		views = c.look(views, &n, now, paused, policy, sweep)
	}
	return views, n
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

func (c *Conn) look(views []View, n *Counts, now, paused time.Duration, policy Policy, sweep bool) []View {
	state := c.startReading()
	defer c.stopReading()
	calls := c.calls.load()
	switch {
	case state == 0:
		c.tellLocked()
		c.first.forget()
	case state&firstOpen == 0 && c.first.key != "": // ended as it was reported
		c.tellEnd(&c.first.report, c.first.At)
	}
	active := calls != c.seenCalls
	activeAt := now
	if state != acquiring {
		activeAt = min(now, c.activeAt+paused)
	}
	if sweep {
		c.settleLocked(0)
		c.seenCalls = calls
		switch {
		case state == acquiring:
		case active:
			c.activeAt = now
		default:
			c.activeAt = activeAt
		}
	}
	judge := func(v View) View {
		v.Pool, v.conn, v.ID.conn = c.pool, c, c.id
		v.Age = max(0, now-v.At)
		if !active {
			v.Idle = max(0, now-max(activeAt, v.At))
		}
		v.Busy = Op(calls & 0xff)
		waiting := v.Busy == OpNone && v.Threshold > 0 && v.Idle > v.Threshold
		old := policy.MaxAge > 0 && v.Kind != KindStmt && v.LongLived == "" && v.Age > policy.MaxAge
		v.Overdue = v.Left || state != 0 && (waiting || old)
		return v
	}
	var root *View
	if state&inUse != 0 {
		n.InUse++
		var buf [8]*Handle
		open := c.openHandles(buf[:0], state)
		collect(open, sweep)
		views, root = c.roots(open, views, n, policy, judge)
	} else {
		n.Idle++
	}
	for _, h := range c.stmts {
		isCopy := h.Stack.Origin.Method != callstack.MethodPrepare
		if !isCopy {
			n.Stmts++
		}
		if root != nil && root.Kind != KindRows && h.seq > c.acq.seq {
			root.Children = append(root.Children, h.child())
			continue
		}
		v := judge(h.view(policy))
		v.Copy, v.Deferred = isCopy, state != 0
		views = append(views, v)
	}
	if root != nil && !(root.Kind == KindConn && c.maybeReturned(root)) {
		views = append(views, *root)
	}
	return views
}

// maybeReturned reports whether a connection that counts as in use may be back
// in the pool: the one call that acquired it is over, and nobody tells when
// connections are released. root is what holds it.
func (c *Conn) maybeReturned(root *View) bool {
	return !c.pool.returns.Load() && !c.acq.Stack.Origin.Conn && root.Busy == OpNone
}

// openHandles appends the transactions and rows that are open.
func (c *Conn) openHandles(to []*Handle, state uint64) []*Handle {
	if state&firstOpen != 0 {
		c.first.opening = c.acq.opening
		to = append(to, &c.first)
	}
	return append(to, c.open...)
}

// collect asks the garbage collector about aged rows, and hands over young
// ones to it if sweep is set.
func collect(open []*Handle, sweep bool) {
	for _, h := range open {
		switch {
		case h.swept:
			h.lost = h.kind == KindRows && h.aged.Value() == nil
		case sweep:
			h.aged, h.swept = weak.Make(h.young), true
			h.young = nil
		}
	}
}

// roots finds the root causes on a connection in use. A handle that is proven
// lost takes the blame alone. Otherwise it is the outermost one, in which the
// others will end.
func (c *Conn) roots(open []*Handle, views []View, n *Counts, policy Policy, judge func(View) View) ([]View, *View) {
	var lost []*Handle
	var tx, rows *Handle
	for _, h := range open {
		switch {
		case h.kind == KindTx:
			n.Txs++
			if tx == nil || h.seq < tx.seq {
				tx = h
			}
		case h.Stack.Origin.Method == callstack.MethodQueryRow:
			n.Row++
		default:
			n.Rows++
		}
		if h.kind == KindRows && (rows == nil || h.seq < rows.seq) {
			rows = h
		}
		if h.lost || h.stuck != nil {
			lost = append(lost, h)
		}
	}
	o := c.acq.Stack.Origin
	if o.Conn {
		n.Conns++
	}
	stuckTx := tx != nil && tx.stuck != nil // and all that is in it
	if len(lost) > 0 && !stuckTx {
		for _, h := range lost {
			views = append(views, judge(h.view(policy)))
		}
		return views, nil
	}
	var root View
	var self *Handle
	switch {
	case stuckTx:
		self = tx
		root = tx.view(policy)
	case tx == nil && rows == nil || o.Conn:
		root = c.acq.view(policy)
	case tx != nil:
		self = tx
		root = tx.view(policy)
	default:
		self = rows
		root = rows.view(policy)
	}
	for _, h := range open {
		if h == self {
			continue
		}
		root.Children = append(root.Children, h.child())
		switch t := h.terms; {
		case t == nil:
		case t.LongLived != "":
			root.setTerms(policy, t) // held on purpose, and so what holds it
		case t.HasThreshold && h.kind != KindStmt && root.Threshold > 0 && (t.Threshold == 0 || t.Threshold > root.Threshold):
			root.Threshold = t.Threshold // what holds it may wait for as long
		}
	}
	root = judge(root)
	if root.Threshold == 0 { // may be held for ever; what is open inside may not
		for _, h := range []*Handle{tx, rows} {
			if h == nil || h == self {
				continue
			}
			if v := judge(h.view(policy)); v.Overdue {
				views = append(views, v)
				break
			}
		}
	}
	return views, &root
}

func (h *Handle) view(policy Policy) View {
	v := View{
		Mark: h.Mark, ID: ID{seq: h.seq}, Kind: h.kind, Query: h.query, Reported: h.key, handle: h,
		Lost: h.lost || h.stuck != nil, Stuck: h.stuck, Left: h.left,
	}
	v.setTerms(policy, h.terms)
	return v
}

func (v *View) setTerms(policy Policy, t *Terms) {
	v.Threshold = policy.threshold(v.Kind, t)
	if t != nil {
		v.terms, v.LongLived = t, t.LongLived
		v.Scope, v.Labels = t.name(), t.labels
	}
}

func (h *Handle) child() ChildView {
	return ChildView{Kind: h.kind, Stack: h.Stack, Query: h.query}
}

// Report notes that the handle is reported under key, so that its end will be
// told. It returns the state in which it was reported before, and false if
// the handle has ended.
func (v *View) Report(key Key) (before Told, ok bool) {
	c := v.conn
	state := c.startReading()
	defer c.stopReading()
	r := c.reportOf(v, state)
	if r == nil {
		return 0, false
	}
	before = r.told
	r.key, r.told = key, max(before, v.told())
	// Whoever ends it from now on tells; if he was about to, the next sweep.
	c.reported.Store(true)
	return before, true
}

// reportOf returns what was reported of the handle or acquire; nil if it has
// ended, and perhaps its record serves again.
func (c *Conn) reportOf(v *View, state uint64) *report {
	h := v.handle
	switch {
	case h == nil && state&inUse != 0 && c.acq.seq == v.ID.seq:
		return &c.acq.report
	case h == nil, h == &c.first && state&firstOpen == 0:
		return nil
	case h.seq == v.ID.seq:
		return &h.report
	}
	return nil
}

func (v *View) told() Told {
	if v.Lost {
		return ToldLost
	}
	return ToldOverdue
}

// PoolID is the ID of the handle that is the DB itself.
func PoolID(p *Pool) ID { return ID{conn: p.ID} }
