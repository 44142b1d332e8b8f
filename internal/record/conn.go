package record

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// Op is a call into the driver.
type Op uint8

// The calls, by the name a report gives them.
const (
	OpNone Op = iota
	OpReset
	OpPing
	OpQuery
	OpExec
	OpPrepare
	OpBegin
	OpNext
	OpCommit
	OpRollback
	OpClose
)

var opNames = [...]string{"", "reset", "ping", "query", "exec", "prepare", "begin", "next", "commit", "rollback", "close"}

// String returns the call's name; "" for OpNone.
func (o Op) String() string { return opNames[o] }

// Conn is a physical connection. database/sql uses it from one goroutine at a
// time, and so may what records: its methods are not for concurrent use with
// each other, only with those that read.
type Conn struct {
	pool *Pool
	id   uint64

	// calls is the driver call in progress, in the lowest byte, and above it a
	// counter of calls that began and ended. A reader that finds it changed
	// knows that the connection was used, without a clock read per row.
	calls atomic.Uint64

	mu    sync.Mutex // guards the rest against readers
	inUse bool       // also read without mu by the goroutine that records
	// acq says who acquired the connection, if it is in use.
	acq acquire
	// open are the transaction and rows that are open, stmts the prepared
	// statements, each in no order.
	open, stmts []*Handle
	seq         uint64
	endings     []ending
	spare       []*Handle

	// What the last sweep saw: the value of calls, and since when. The sweep
	// that finds a change takes itself for its time, so that idle times are
	// never too long, and too short by one interval at most.
	seenCalls uint64
	activeAt  time.Duration
}

type acquire struct {
	Mark
	terms *Terms
	seq   uint64
	// fresh is set until the first driver call since the acquire.
	fresh bool
	report
}

// Acquired records that the connection left the pool for the calling
// goroutine.
func (c *Conn) Acquired(ctx context.Context) {
	if c == nil || c.pool.reg.Off() {
		return
	}
	m, terms := c.pool.mark(), TermsOf(ctx)
	c.mu.Lock()
	c.acquireLocked(m, terms)
	c.mu.Unlock()
	c.pool.arm()
}

func (c *Conn) acquireLocked(m Mark, terms *Terms) {
	if c.inUse { // a wrapper outside of this one keeps IsValid to itself
		c.releaseLocked()
	}
	c.settleLocked()
	c.seq++
	c.inUse = true
	c.acq = acquire{Mark: m, terms: terms, seq: c.seq, fresh: true}
	c.activeAt = m.At
}

// Released records that the connection re-entered the pool: whatever was open
// on it but for statements is over.
func (c *Conn) Released() {
	if c == nil || !c.inUse {
		return
	}
	if !c.pool.returns.Load() {
		c.pool.returns.Store(true)
	}
	c.mu.Lock()
	c.releaseLocked()
	c.mu.Unlock()
}

func (c *Conn) releaseLocked() {
	for len(c.open) > 0 {
		c.endLocked(c.open[len(c.open)-1])
	}
	if c.acq.key != "" {
		c.pool.noteEnded(c.ended(c.acq.key, c.acq.At))
	}
	c.inUse = false
	c.acq = acquire{}
}

// Closed records that the physical connection is gone, and everything on it.
func (c *Conn) Closed() {
	if c == nil {
		return
	}
	c.mu.Lock()
	if c.inUse {
		c.releaseLocked()
	}
	for _, h := range c.stmts {
		*h = Handle{conn: c} // so that a late End finds it ended
	}
	c.stmts, c.endings = nil, nil // gone with the connection, not given back
	c.mu.Unlock()
	c.pool.mu.Lock()
	delete(c.pool.conns, c)
	last := c.pool.closed && len(c.pool.conns) == 0
	c.pool.mu.Unlock()
	if last {
		c.pool.forgetIfDone()
	}
}

// Enter records that a driver call begins.
func (c *Conn) Enter(op Op) {
	if c == nil {
		return
	}
	c.calls.Store((c.calls.Load()>>8+1)<<8 | uint64(op))
}

// Use is Enter for a call that needs the connection to be acquired. A
// connection that the pool opened by itself is handed out unseen: its first
// driver call is then its acquire.
func (c *Conn) Use(ctx context.Context, op Op) {
	if c == nil {
		return
	}
	if !c.inUse {
		c.Acquired(ctx)
	}
	c.Enter(op)
}

// Leave records that the driver call is over, by return or panic.
func (c *Conn) Leave() {
	if c == nil {
		return
	}
	c.calls.Store((c.calls.Load()>>8 + 1) << 8)
}

// markHere says who opens a handle now, and on what terms. A call that
// acquired the connection for itself has been asked already: its stack, at the
// acquire, is the same from the application down to database/sql.
func (c *Conn) markHere(ctx context.Context) (Mark, *Terms) {
	if c.inUse {
		o := c.acq.Stack.Origin
		if o.Transient || o.Method == callstack.MethodBegin && c.acq.fresh {
			return c.acq.Mark, c.acq.terms
		}
	}
	return c.pool.mark(), TermsOf(ctx)
}

// ended describes the end of a reported handle.
func (c *Conn) ended(key Key, openedAt time.Duration) Ended {
	now := c.pool.now()
	return Ended{Key: key, Held: max(0, now-openedAt), At: now}
}
