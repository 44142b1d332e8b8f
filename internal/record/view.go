package record

import (
	"cmp"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// Policy is what decides whether a handle is overdue; 0 means never.
type Policy struct {
	Conn, Tx, Rows time.Duration // without activity
	MaxAge         time.Duration // with or without
	Sites          *Sites        // instead of those of the kinds
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
	Limit
	Busy Op // the driver call in progress
	// Calls changes with each driver call on the connection.
	Calls uint64
	// Overdue: held without activity for longer than its threshold, or after
	// its context was over, or longer than the maximum age. Lost: proven never to be given back, by
	// the garbage collector unless Stuck is set.
	Overdue, Lost bool
	Stuck         *Stuck
	// Copy is set for a statement that database/sql prepared again on
	// another connection: the application holds one Stmt for all of them.
	Copy bool
	// ContextOver is how long the context that the handle is bound to is known
	// to be over. Deserted: for too long, without anybody using the handle.
	ContextOver time.Duration
	Deserted    bool
	// Deferred is set for a statement on a connection in use. The application
	// may have closed it: database/sql tells the driver when the connection
	// is released.
	Deferred bool
	// Recent is set for one that was open when its connection was acquired,
	// and that is less than the time between two sweeps ago.
	Recent bool
	// Holder tells the acquires of a deferred statement's connection apart:
	// the statement was not closed before the present one.
	Holder uint64
	// Reported is the finding that the handle was reported under, if any; it
	// may have been used again since.
	Reported Key
	// Session is set for KindSession.
	Session  *SessionView
	Children []ChildView

	terms  *Terms
	end    contextEnd
	conn   *Conn
	handle *Handle     // nil if the view is of an acquire, or of a session
	left   *leftBehind // of a session
}

// ID identifies a handle in its registry. The zero ID is no handle's.
type ID struct{ conn, seq uint64 }

// Compare orders IDs by age of the connection, then of the handle.
func (a ID) Compare(b ID) int {
	return cmp.Or(cmp.Compare(a.conn, b.conn), cmp.Compare(a.seq, b.seq))
}

// ChildView is a handle inside another.
type ChildView struct {
	Kind      Kind
	Stack     *callstack.Stack
	Query     string
	Goroutine int64 // that opened it
}

// WallClock is when the handle was opened, by the wall clock.
func (v *View) WallClock() time.Time { return v.Pool.Wall.Add(v.At) }

// Counts are the physical connections and open handles of a pool.
type Counts struct {
	InUse, Idle                  int
	Conns, Txs, Rows, Row, Stmts int // handles
	Moves                        Moves
	Sessions                     int // that something was left behind in
}

// isLost reports whether the handle is proven never to be given back.
func (h *Handle) isLost() bool { return h.lost || h.stuck != nil }

func (h *Handle) view(policy Policy) (v View) {
	h.fill(&v, policy)
	return v
}

// fill fills an empty view but for what is the connection's.
func (h *Handle) fill(v *View, policy Policy) {
	v.Mark, v.ID.seq, v.Kind, v.Query, v.Reported, v.handle = h.Mark, h.seq, h.kind, h.query, h.key, h
	v.Lost, v.Stuck, v.Left, v.end = h.isLost(), h.stuck, h.left, h.end
	v.setTerms(policy, h.terms)
}

// view describes the acquire as a handle of its own.
func (a *acquire) view(policy Policy) View {
	v := View{Mark: a.Mark, ID: ID{seq: a.seq}, Kind: KindConn, Reported: a.key, Left: a.left, end: a.end}
	v.setTerms(policy, a.terms)
	return v
}

func (v *View) setTerms(policy Policy, t *Terms) {
	v.Limit = policy.limit(v.Kind, v.Stack, t)
	if t != nil {
		v.terms, v.LongLived = t, t.LongLived
		v.Scope, v.Labels = t.name(), t.labels
	}
}

func (h *Handle) child() ChildView {
	return ChildView{Kind: h.kind, Stack: h.Stack, Query: h.query, Goroutine: h.Goroutine}
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
	if h := v.handle; v.left == nil && (h == nil || h == &c.first) {
		c.reported.Store(true)
	} else if s := c.inSlot(h); s != nil {
		s.reported.Store(true)
	}
	return before, true
}

// reportOf returns what was reported of the handle or acquire; nil if it has
// ended, and perhaps its record serves again.
func (c *Conn) reportOf(v *View, state uint64) *report {
	h := v.handle
	if s := c.inSlot(h); s != nil && s.state.load() != slotOpen {
		return nil
	}
	switch {
	case v.left != nil:
		if s := c.session.Load(); s != nil && slices.Contains(s.marks, v.left) {
			return &v.left.report
		}
		return nil
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
