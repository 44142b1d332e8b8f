package record

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// Conn is a physical connection. database/sql uses it from one goroutine at a
// time, and so may what records: its methods are not for concurrent use with
// each other, only with those that read.
//
// A query on the pool takes no lock. Who acquires the connection writes acq,
// and what he opens is the acquire's first handle: both are written once per
// acquire, and shown by flags of state. Whatever else is open is in lists,
// under mu. A reader who finds the connection in use keeps the next acquire
// waiting, by mu, until it has read.
type Conn struct {
	// What a query uses comes first, and side by side: after a wait for a
	// database, each line of the processor's cache is to be fetched again.

	pool *Pool
	// calls is the driver call in progress, in the lowest byte, and above it a
	// counter of calls that began and ended. A reader that finds it changed
	// knows that the connection was used, without a clock read per row.
	calls published
	state published // flags

	// For the goroutine that records alone.
	seq        uint64
	fresh      bool  // no handle was opened since the acquire
	opensFirst bool  // what is opened next is first
	shared     bool  // who acquired it shares the pool's time
	ends       bool  // the context of the acquire may end
	untaken    int32 // how many ends come before one whose time is taken

	// slot has a statement; nil until one was prepared.
	slot atomic.Pointer[stmtSlot]
	// session is what was left behind on the connection; nil if nothing was.
	session atomic.Pointer[dirtySession]
	// reported is set if the acquire or first was reported: then somebody is to
	// be told of its end.
	reported atomic.Bool
	// reading is set by a reader, who holds mu.
	reading atomic.Bool

	// acq says who acquired the connection; read only while state says inUse.
	acq acquire

	mu sync.Mutex // guards the rest against readers

	// What the last sweep saw: the value of calls, and since when. The sweep
	// that finds a change takes itself for its time, so that idle times are
	// never too long, and too short by one interval at most. activeAt is also
	// written with acq.
	seenCalls uint64
	activeAt  time.Duration

	// open are the transactions and rows that are open but for first, stmts the
	// prepared statements but for that in the slot, each in no order.
	open, stmts []*Handle
	// first is the handle opened first in the acquire, if it is no statement;
	// read only while state says firstOpen. Its opening is the acquire's.
	first Handle
	// endings are statements whose end is not told yet.
	endings []*Handle
	// ended is how many statements of the line endedOf were closed and are not
	// counted there yet.
	ended   uint64
	endedOf *callstack.Stack
	// bind is of an acquire that is watched.
	bind  binding
	spare []*Handle

	id       uint64
	index    int                      // in the pool's list; guarded by the pool's mu
	serverID atomic.Pointer[ServerID] // nil unless a probe learned it
	// wrapped is set if a wrapper of another package is outside of this one: it
	// may keep to itself when the connection is released.
	wrapped bool
	// direct is set if database/sql called the function that made the
	// connection, and so has it itself. For the goroutine that records.
	direct bool
}

type acquire struct {
	opening
	seq uint64 // 0 before the first
	report
}

// opening says who opened something, and on what terms.
type opening struct {
	Mark
	terms *Terms
	end   contextEnd
}

func newConn(p *Pool) *Conn {
	c := &Conn{pool: p, id: p.reg.seq.Add(1)}
	c.first.conn, c.first.opening = c, &c.acq.opening
	return c
}

// Wrapped records that a wrapper of another package is outside of this one.
func (c *Conn) Wrapped() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrapped, c.direct = true, false
}

// Acquired records that the connection left the pool for the calling
// goroutine.
func (c *Conn) Acquired(ctx context.Context) {
	p := c.pool
	if p.reg.Off() {
		return
	}
	terms, done := p.terms(ctx), doneOf(ctx) // first, as they call the application
	if c.state.own() != 0 {                  // a wrapper outside of this one keeps IsValid to itself
		c.release(false)
	}
	// Either a reader sees this, and leaves the connection alone, or it is seen.
	c.state.exchange(acquiring)
	if c.reading.Load() || c.reported.Load() {
		c.awaitReader()
	}
	a := &c.acq
	c.shared = a.fill(p)
	if a.terms != terms {
		a.terms = terms
	}
	if done != nil || c.ends {
		a.end = contextEndOf(done, c.shared)
		c.ends = a.end.done != nil
	}
	o := &a.Stack.Origin
	if o.Method == callstack.MethodOpener { // by the pool, for itself
		c.state.withdraw(0)
		return
	}
	if s := c.slot.Load(); s != nil {
		s.acquired()
	}
	if s := c.session.Load(); s != nil {
		c.takeSession(s)
	}
	c.seq = c.seq&^(acquireStep-1) + acquireStep
	a.seq, c.activeAt = c.seq, a.At
	c.first.forget()
	c.fresh, c.opensFirst = true, p.returns.Load() && (o.Transient || o.Method == callstack.MethodBegin && !o.Conn)
	terms.opened()
	state := uint64(inUse)
	if c.ends && o.Method == callstack.MethodConn { // with its context, not one of a use
		state |= watched
		c.bind.begin()
	}
	c.state.publish(state)
	p.arm()
}

func (c *Conn) awaitReader() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tellLocked()
}

// Released records that the connection re-entered the pool: whatever was open
// on it but for statements is over.
func (c *Conn) Released() { c.release(true) }

// release is Released if seen is set. Else the connection is to be acquired, and
// nobody told that it re-entered the pool, if it was ever out of it.
func (c *Conn) release(seen bool) {
	state := c.state.own()
	if state == 0 {
		return
	}
	if seen && !c.pool.returns.Load() {
		c.pool.returns.Store(true)
	}
	c.acq.terms.ended()
	if state&watched != 0 {
		c.bind.end()
	}
	if c.acq.Stack.Origin.Conn && c.takesHeld(c.acq.Stack) {
		c.takeHeld(c.acq.Stack, c.acq.At)
	}
	if s := c.session.Load(); s != nil {
		c.returnSession(s)
	}
	if len(c.open) == 0 && !c.reported.Load() {
		c.state.withdraw(0)
		return
	}
	c.mu.Lock()
	c.releaseLocked()
	c.mu.Unlock()
}

func (c *Conn) releaseLocked() {
	for len(c.open) > 0 {
		c.endLocked(c.open[len(c.open)-1])
	}
	c.state.publish(0)
	c.tellLocked()
}

// tellLocked tells of the end of an acquire that was reported.
func (c *Conn) tellLocked() {
	if c.reported.Load() {
		c.reported.Store(false)
		c.tellEnd(&c.acq.report, c.acq.At)
		c.tellEnd(&c.first.report, c.acq.At)
	}
}

func (c *Conn) tellEnd(r *report, openedAt time.Duration) {
	if r.key != "" {
		c.pool.noteEnded(c.endOf(r.key, openedAt))
	}
	*r = report{}
}

// Closed records that the physical connection is gone, and everything on it.
func (c *Conn) Closed() {
	c.rememberClosed()
	c.mu.Lock()
	if c.state.own() != 0 {
		c.acq.terms.ended()
	}
	c.releaseLocked()
	c.dropSessionLocked()
	c.settleLocked(c.acq.seq)
	c.flushEndsLocked()
	for _, h := range c.stmts {
		h.terms.ended()
		h.seq = 0 // so that a late Close finds it ended
	}
	if s := c.slot.Load(); s != nil {
		s.dropLocked()
	}
	c.stmts, c.endings = nil, nil // gone with the connection, not given back
	c.mu.Unlock()
	c.pool.mu.Lock()
	c.pool.removeLocked(c)
	last := len(c.pool.conns) == 0
	c.pool.mu.Unlock()
	if last {
		c.pool.forgetIfDone()
	}
}

// Enter records that a driver call begins.
func (c *Conn) Enter(op Op) { c.calls.count((c.calls.own() | 0xff) + 1 + uint64(op)) }

// Leave records that the driver call is over, by return or panic.
func (c *Conn) Leave() { c.calls.count((c.calls.own() | 0xff) + 1) }

// Use comes before Enter for a call that needs the connection to be acquired.
func (c *Conn) Use(ctx context.Context) {
	if c.state.own() != inUse {
		c.use(ctx)
	}
}

// use is Use where there may be more to do. A connection that the pool opened
// by itself is handed out unseen: its first driver call is then its acquire.
func (c *Conn) use(ctx context.Context) {
	switch state := c.state.own(); {
	case state == 0:
		c.Acquired(ctx)
	case state&watched != 0:
		c.bind.use(ctx)
	}
}

// lists notes that a handle was opened that isn't first.
func (c *Conn) lists() {
	c.fresh = false
	c.opensFirst = c.opensFirst && c.acq.Stack.Origin.Transient
}

// shares reports whether a handle that is opened now is what the connection
// was acquired for. Then its stack, at the acquire, was the same from the
// application down to database/sql. Where nobody tells when connections are
// released, this one may have been in the pool since.
func (c *Conn) shares() bool {
	if c.state.own() == 0 || !c.pool.returns.Load() {
		return false
	}
	o := &c.acq.Stack.Origin
	return o.Transient || c.fresh && o.Method == callstack.MethodBegin
}

// endOf describes the end of a reported handle.
func (c *Conn) endOf(key Key, openedAt time.Duration) Ended {
	now := c.pool.now()
	return Ended{Key: key, Held: max(0, now-openedAt), At: now}
}
