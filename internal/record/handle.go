package record

import (
	"context"
	"time"
	"weak"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
	"github.com/dbleaks-go/dbleaks/internal/reach"
)

// Key identifies the finding that a handle was reported under.
type Key string

// Told is what was reported of a handle.
type Told uint8

// What can have been told, in the order in which it is.
const (
	ToldNothing Told = iota
	ToldOverdue
	ToldLost
)

// report is how a handle was reported, if at all.
type report struct {
	key  Key
	told Told
	left bool // by its scope
}

// Handle is the record of an open transaction, rows or statement. Its fields
// are guarded by the connection's mu; see there for its first.
type Handle struct {
	conn  *Conn
	seq   uint64
	query string
	// young, aged and swept are how the garbage collector's word is had, for
	// transactions and rows: young keeps the wrapper alive until the first sweep
	// that meets it, which costs nothing per query; from then on, when swept is
	// set, only aged refers to it, and when that turns nil, nothing in the
	// program can close the rows any more.
	young *Anchor
	aged  weak.Pointer[Anchor]
	*opening
	kind        Kind
	swept, lost bool
	stuck       *Stuck
	report

	index int // in conn.open or conn.stmts
	// Of statements that have ended: when, and the connection's acquire then.
	endedAt time.Duration
	endedIn uint64
}

// newHandle makes one with an opening of its own.
func newHandle(c *Conn) *Handle {
	h := &struct {
		Handle
		own opening
	}{Handle: Handle{conn: c}}
	h.opening = &h.own
	return &h.Handle
}

// maxStmts bounds the statements that are recorded of a connection. MySQL has
// 16,382 of a whole server as its own limit.
const maxStmts = 10_000

// Anchor ties the object that database/sql holds to its record. It is
// embedded in the wrapper of rows, transactions and statements.
type Anchor struct {
	h   *Handle // of the connection; another's if seq is 0
	seq uint64  // 0 if the object is not recorded, or no more

	point reach.Point
}

// Tx records that a transaction was opened on c.
func (c *Conn) Tx(ctx context.Context, a *Anchor) { c.opened(ctx, a, KindTx, "") }

// Rows records that a query on c returned rows.
func (c *Conn) Rows(ctx context.Context, a *Anchor, query string) { c.opened(ctx, a, KindRows, query) }

// Stmt records that a statement was prepared on c, but for one that database/sql
// prepared by itself to run one query of the application.
func (c *Conn) Stmt(ctx context.Context, a *Anchor, query string) {
	a.h = &c.first
	if !c.pool.reg.Off() && !c.takeSlot(a, query) {
		c.listed(ctx, a, KindStmt, query)
	}
}

func (c *Conn) opened(ctx context.Context, a *Anchor, kind Kind, query string) {
	h, state := &c.first, c.state.own()
	a.h = h
	if state == 0 || !c.opensFirst {
		if !c.pool.reg.Off() {
			c.listed(ctx, a, kind, query)
		}
		return
	}
	c.fresh, c.opensFirst = false, false
	c.seq++
	h.seq, h.kind, h.query = c.seq, kind, query
	h.young = a
	a.seq = c.seq
	c.state.publish(state | firstOpen)
}

// listed records a handle that is not the first of an acquire.
func (c *Conn) listed(ctx context.Context, a *Anchor, kind Kind, query string) {
	var o opening
	shared, done := c.shared, doneOf(ctx)
	if c.shares() {
		o.Mark, o.terms = c.acq.Mark, c.acq.terms // its end is a sweep's
	} else {
		o.terms = c.pool.terms(ctx)
		shared = o.fill(c.pool)
	}
	if kind == KindStmt && !o.Stack.Origin.OpensStmt() {
		return
	}
	c.lists()
	if kind == KindStmt && c.countStmts() >= maxStmts {
		c.pool.reg.unlisted.Add(1)
		return
	}
	c.seq++
	c.mu.Lock()
	if len(c.endings) > 0 {
		c.settleLocked(0)
	}
	h := c.spareLocked()
	h.seq, h.kind, h.query, *h.opening = c.seq, kind, query, o
	if kind != KindStmt {
		h.young = a
	}
	if kind != KindStmt || o.terms != nil && o.terms.Scope != nil { // a statement may outlive its context
		h.end = contextEndOf(done, shared)
	}
	list := c.listOf(kind)
	h.index = len(*list)
	*list = append(*list, h)
	c.mu.Unlock()
	a.h, a.seq = h, c.seq
	o.terms.opened()
}

// forget lets go of the application's objects, and of what a sweep noted.
func (h *Handle) forget() {
	if h.young != nil {
		h.young = nil
	}
	if h.swept {
		h.aged, h.lost, h.swept, h.stuck = weak.Pointer[Anchor]{}, false, false, nil
	}
}

// Sole reports whether the object of an open handle can be used again once it is
// closed: only database/sql has it, as the connection was acquired for it, and so
// for no Raw, and no wrapper of another package is outside of this one.
//
// It can't if it is of a Rows. Those refer to the driver's after they were closed,
// and while the application keeps one, a deferred Close for example, nobody would
// be told that the object's next ones are lost. A Row is kept by nobody.
func (a *Anchor) Sole() bool {
	h, c := a.h, a.h.conn
	switch {
	case a.seq == 0 || h.seq != a.seq || !c.direct:
		return false
	case h == &c.first:
		return h.kind != KindRows || c.acq.Stack.Origin.Method == callstack.MethodQueryRow
	}
	return c.inSlot(h) != nil
}

// Enter records that a driver call on the handle begins.
func (a *Anchor) Enter(op Op) { a.h.conn.Enter(op) }

// Leave records that the driver call is over, by return or panic.
func (a *Anchor) Leave() { a.h.conn.Leave() }

// Closed is Leave for the call that gave the handle back. A second one is not
// counted.
func (a *Anchor) Closed() {
	h, c, seq := a.h, a.h.conn, a.seq
	if c.Dirty() {
		c.settleCall()
	}
	c.Leave()
	switch {
	case seq == 0 || h.seq != seq: // ended with its connection, and serves again
	case h == &c.first && !c.reported.Load():
		if c.takesHeld(c.acq.Stack) {
			c.takeHeld(c.acq.Stack, c.acq.At)
		}
		c.state.withdraw(c.state.own() &^ firstOpen)
	case h.kind == KindStmt && c.closeSlot(h):
	default:
		c.mu.Lock()
		c.takeHeldLocked(h)
		c.endLocked(h)
		c.mu.Unlock()
	}
	a.seq = 0 // last: an object that is in use here isn't out of reach
}

// endLocked notes that h was given back. Of a statement that isn't told yet:
// the pool closes the statements of a connection that it is about to close,
// and the application gave none of these back.
func (c *Conn) endLocked(h *Handle) {
	if h == &c.first {
		c.state.publish(c.state.own() &^ firstOpen)
		c.tellEnd(&h.report, h.At)
		return
	}
	list := c.listOf(h.kind)
	last := len(*list) - 1
	moved := (*list)[last]
	(*list)[h.index] = moved
	moved.index = h.index
	(*list)[last] = nil
	*list = (*list)[:last]
	h.terms.ended()
	if h.kind != KindStmt {
		c.tellEnd(&h.report, h.At)
		c.recycle(h)
		return
	}
	h.seq, h.endedIn = 0, c.acq.seq
	if h.key != "" {
		h.endedAt = c.pool.now()
	}
	c.endings = append(c.endings, h)
	c.pool.arm() // to be told if nobody uses the connection
}

// settleLocked tells the ends of statements after which the connection wasn't
// closed: all but those of the acquire, 0 for none.
func (c *Conn) settleLocked(butOf uint64) {
	kept := 0
	for i, h := range c.endings {
		c.endings[i] = nil
		if h.endedIn == butOf {
			c.endings[kept] = h
			kept++
			continue
		}
		c.countEndLocked(h.Stack)
		if h.key != "" {
			h.tellClosed()
		}
		c.recycle(h)
	}
	c.endings = c.endings[:kept]
}

// tellClosed tells the end of a statement that was reported.
func (h *Handle) tellClosed() {
	h.conn.pool.noteEnded(Ended{Key: h.key, Held: max(0, h.endedAt-h.At), At: h.endedAt})
	h.report = report{}
}

// countEndLocked counts on the connection first, as several goroutines may
// close statements of one line at a time.
func (c *Conn) countEndLocked(s *callstack.Stack) {
	if c.endedOf != s {
		c.flushEndsLocked()
		c.endedOf = s
	}
	c.ended++
}

// flushEndsLocked has others see what was counted.
func (c *Conn) flushEndsLocked() {
	if c.ended > 0 {
		c.endedOf.Ended.Add(c.ended)
		c.ended = 0
	}
}

func (c *Conn) listOf(kind Kind) *[]*Handle {
	if kind == KindStmt {
		return &c.stmts
	}
	return &c.open
}

// recycle keeps some handles that have ended, so that recording others
// allocates nothing.
func (c *Conn) recycle(h *Handle) {
	h.seq = 0
	h.forget()
	h.end = contextEnd{}
	if len(c.spare) < 4 {
		c.spare = append(c.spare, h)
	}
}

func (c *Conn) spareLocked() *Handle {
	n := len(c.spare)
	if n == 0 {
		return newHandle(c)
	}
	h := c.spare[n-1]
	c.spare = c.spare[:n-1]
	return h
}
