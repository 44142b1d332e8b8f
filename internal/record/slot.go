package record

import (
	"sync/atomic"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// stmtSlot is for the statement that (*sql.DB).Prepare opened, of which most
// programs that close theirs have one at a time on a connection: neither its
// opening nor its end takes a lock. It is written once in an acquire, as it isn't
// free again before the next, by whom acquired the connection, and read while
// state says that it is open; see Conn for why no reader is in the way then. It
// outlives the acquire: while it is open, further statements are listed.
type stmtSlot struct {
	h       Handle
	opening opening
	state   published // one of those below

	// reported is set if the statement was reported: then its end is told.
	reported atomic.Bool

	// ends counts the statements of the line endsOf that were closed, flushed
	// those of them that others know of. The latter two are guarded by mu.
	ends    published
	flushed uint64
	endsOf  *callstack.Stack
}

const (
	slotFree = iota
	slotOpen
	// slotEnded: closed, perhaps because the pool is about to close the
	// connection, so that its end isn't counted before the next acquire, or a
	// sweep that finds the connection in the pool.
	slotEnded
)

// takeSlot records a statement in the slot, if that can be.
func (c *Conn) takeSlot(a *Anchor, query string) bool {
	if !c.shares() || c.acq.terms != nil || !c.acq.Stack.Origin.OpensStmt() {
		return false
	}
	s := c.slot.Load()
	if s == nil {
		s = &stmtSlot{h: Handle{conn: c, kind: KindStmt}}
		s.h.opening = &s.opening
		c.slot.Store(s)
	}
	if s.state.own() != slotFree {
		return false
	}
	c.lists()
	c.seq++
	s.h.seq, s.h.query = c.seq, query
	s.opening.Mark = c.acq.Mark // nothing else: it outlives its context
	s.state.publish(slotOpen)
	a.h, a.seq = &s.h, c.seq
	return true
}

// closeSlot records the end of h, if that is in the slot. If it was reported, or
// is just now, whoever counts the end tells it.
func (c *Conn) closeSlot(h *Handle) bool {
	s := c.inSlot(h)
	if s == nil {
		return false
	}
	if s.reported.Load() {
		h.endedAt = c.pool.now()
		s.state.exchange(slotEnded) // before arm looks whether there will be a sweep
	} else {
		s.state.count(slotEnded)
	}
	c.pool.arm() // to be counted if nobody uses the connection
	return true
}

// acquired has the slot serve again, if its statement has ended.
func (s *stmtSlot) acquired() {
	if s.state.own() != slotEnded {
		return
	}
	if c := s.h.conn; s.endsOf != s.h.Stack || s.reported.Load() {
		c.mu.Lock()
		s.tellLocked()
		s.flushLocked()
		s.endsOf = s.h.Stack
		c.mu.Unlock()
	}
	s.ends.count(s.ends.own() + 1)
	s.state.count(slotFree)
}

// sweepLocked tells and counts what has ended, as state says. idle says that the
// connection is in the pool, so that nobody acquires it meanwhile: else the end is
// only told, as a statement that is neither seen nor told of seems to be gone.
func (s *stmtSlot) sweepLocked(state uint64, idle bool) {
	if state == slotEnded {
		s.tellLocked()
		if idle {
			s.h.Stack.Ended.Add(1)
			s.state.count(slotFree)
		}
	}
	s.flushLocked()
}

// tellLocked tells the end of a statement that was reported.
func (s *stmtSlot) tellLocked() {
	if s.reported.Load() {
		h := &s.h
		if h.endedAt == 0 { // reported as it ended
			h.endedAt = h.conn.pool.now()
		}
		h.tellClosed()
		s.forgetReport()
	}
}

func (s *stmtSlot) forgetReport() {
	s.h.report, s.h.endedAt = report{}, 0
	s.reported.Store(false)
}

func (s *stmtSlot) flushLocked() {
	if n := s.ends.load(); n != s.flushed {
		s.endsOf.Ended.Add(n - s.flushed)
		s.flushed = n
	}
}

// dropLocked forgets what went with the connection.
func (s *stmtSlot) dropLocked() {
	s.flushLocked()
	s.h.seq = 0 // so that a late Close finds it ended
	s.forgetReport()
	s.state.publish(slotFree)
}

// inSlot returns the slot if h is in it, else nil.
func (c *Conn) inSlot(h *Handle) *stmtSlot {
	if s := c.slot.Load(); s != nil && h == &s.h {
		return s
	}
	return nil
}

// countStmts is how many statements are recorded as open.
func (c *Conn) countStmts() int {
	n := len(c.stmts)
	if s := c.slot.Load(); s != nil && s.state.load() == slotOpen {
		n++
	}
	return n
}

// slotHasWork reports whether an end is to be told or counted.
func (c *Conn) slotHasWork() bool {
	s := c.slot.Load()
	return s != nil && s.state.load() == slotEnded
}
