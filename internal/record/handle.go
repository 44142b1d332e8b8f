package record

import (
	"context"
	"weak"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
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
}

// Handle is the record of an open transaction, rows or statement. Its fields
// are guarded by the connection's mu.
type Handle struct {
	conn  *Conn
	index int // in conn.open or conn.stmts
	seq   uint64
	kind  Kind
	Mark
	terms *Terms
	query string
	report

	// How the garbage collector's word is had, for rows: young keeps the
	// wrapper alive until the first sweep that meets it, which costs nothing
	// per query; from then on only aged refers to it, and when that turns
	// nil, nothing in the program can close the rows any more.
	young *Anchor
	aged  weak.Pointer[Anchor]
	lost  bool
}

// Anchor ties the object that database/sql holds to its record. It is
// embedded in the wrapper of rows, transactions and statements. The zero
// value belongs to no record.
type Anchor struct {
	h   *Handle
	seq uint64
}

// Tx records that a transaction was opened on c.
func (c *Conn) Tx(ctx context.Context, a *Anchor) {
	if c == nil || c.pool.reg.Off() {
		return
	}
	m, terms := c.markHere(ctx)
	c.opened(a, KindTx, m, terms, "")
}

// Rows records that a query on c returned rows. by is the hidden statement
// that the query runs on, or nil.
func (c *Conn) Rows(ctx context.Context, a *Anchor, query string, by *Hidden) {
	if c == nil || c.pool.reg.Off() {
		return
	}
	if by != nil {
		c.opened(a, KindRows, by.mark, by.terms, query)
		return
	}
	m, terms := c.markHere(ctx)
	c.opened(a, KindRows, m, terms, query)
}

// Hidden is a statement that database/sql prepared by itself, to run one
// query of the application. It is no handle, but knows who opened it.
type Hidden struct {
	mark  Mark
	terms *Terms
}

// Stmt records that a statement was prepared on c. If it is one that no Stmt
// of the application stands for, it records nothing and returns who asked.
func (c *Conn) Stmt(ctx context.Context, a *Anchor, query string) *Hidden {
	if c == nil || c.pool.reg.Off() {
		return nil
	}
	m, terms := c.markHere(ctx)
	o := m.Stack.Origin
	if o.Method != callstack.MethodPrepare && o.Method != callstack.MethodRebind && !o.Stmt {
		return &Hidden{mark: m, terms: terms}
	}
	c.opened(a, KindStmt, m, terms, query)
	return nil
}

func (c *Conn) opened(a *Anchor, kind Kind, m Mark, terms *Terms, query string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settleLocked()
	c.seq++
	c.acq.fresh = false
	h := c.spareLocked()
	*h = Handle{conn: c, seq: c.seq, kind: kind, Mark: m, terms: terms, query: query}
	if kind == KindRows {
		h.young = a
	}
	list := c.listOf(kind)
	h.index = len(*list)
	*list = append(*list, h)
	a.h, a.seq = h, h.seq
}

// End records that the handle was given back. It is idempotent.
func (a *Anchor) End() {
	h := a.h
	if h == nil {
		return
	}
	a.h = nil
	c := h.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.seq == a.seq { // else it ended with its connection, and serves again
		c.endLocked(h)
	}
}

// ending is the end of a statement that is not told yet. The pool closes the
// statements of a connection that it is about to close: the application gave
// none of these back.
type ending struct {
	stack *callstack.Stack
	Ended
}

// settleLocked tells the ends of statements: their connection wasn't closed.
func (c *Conn) settleLocked() {
	for _, e := range c.endings {
		e.stack.Ended.Add(1)
		if e.Key != "" {
			c.pool.noteEnded(e.Ended)
		}
	}
	clear(c.endings)
	c.endings = c.endings[:0]
}

func (c *Conn) endLocked(h *Handle) {
	var e Ended
	if h.key != "" {
		e = c.ended(h.key, h.At)
	}
	switch {
	case h.kind == KindStmt:
		c.endings = append(c.endings, ending{h.Stack, e})
		c.pool.arm() // to be settled if nobody uses the connection
	case h.key != "":
		c.pool.noteEnded(e)
	}
	list := c.listOf(h.kind)
	last := len(*list) - 1
	moved := (*list)[last]
	(*list)[h.index] = moved
	moved.index = h.index
	(*list)[last] = nil
	*list = (*list)[:last]
	*h = Handle{conn: c}
	if len(c.spare) < cap(c.spare) || len(c.spare) < 4 {
		c.spare = append(c.spare, h)
	}
}

func (c *Conn) listOf(kind Kind) *[]*Handle {
	if kind == KindStmt {
		return &c.stmts
	}
	return &c.open
}

func (c *Conn) spareLocked() *Handle {
	n := len(c.spare)
	if n == 0 {
		return new(Handle)
	}
	h := c.spare[n-1]
	c.spare = c.spare[:n-1]
	return h
}
