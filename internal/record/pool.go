package record

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// maxEnded bounds the reported handles that were given back, and that no sweep
// has fetched yet, of which each is kept: of more, there is one number a finding.
const maxEnded = 1024

// Pool is what one *sql.DB manages.
type Pool struct {
	ID     uint64
	Name   string
	Driver string
	Source string // without secrets
	// Identity is the same for pools of the same data source, secrets
	// included; 0 if it is not known what the pool connects to.
	Identity uint64
	Opened   Mark
	// Wall is the wall clock when the pool was opened.
	Wall time.Time

	// tentative is set if nobody tells whether there is a *sql.DB, and perhaps
	// not when it is closed: the pool is listed while it has connections.
	tentative bool
	hidden    bool // see Registry.HiddenPool

	reg     *Registry
	clock   clock
	stats   statsReader
	db      reachedDB
	address address
	probing atomic.Pointer[probing] // nil unless the server is to be asked
	guard   *Scope                  // the test that the pool was opened in, or nil

	// returns is set once a connection was seen to re-enter the pool. A
	// wrapper of another package between database/sql and this one may keep
	// that to itself.
	returns atomic.Bool

	// dirty counts the connections that something was left behind on.
	dirty atomic.Int32

	// armed is set while a timer is under way that will sweep the pool.
	armed atomic.Bool
	// soon is set if the next sweep is to come sooner than usual.
	soon atomic.Bool
	// lastTick is the pool's time when it was last swept or armed: its age for
	// readers that don't share its clock.
	lastTick atomic.Int64

	mu     sync.Mutex // guards the rest; taken when connections come and go
	conns  []*Conn
	closed bool
	gone   uint64 // acquires of connections that are closed
	opened uint64 // acquires by callers for whom a connection was opened

	crowd  crowd
	recent recent

	endMu sync.Mutex // guards the rest
	ended []Ended
	more  map[Key]Ended // what ended has no room for
}

// Ended is a handle that had been reported and was given back, or several of one
// finding.
type Ended struct {
	Key   Key
	Count int
	Held  time.Duration // the longest
	At    time.Duration // on the pool's clock
}

// OpenPool records a *sql.DB. It returns nil if recording is off; the methods
// that record accept nil and do nothing.
func (r *Registry) OpenPool(name, driver, source string, identity uint64) *Pool {
	p := r.PreparePool(name, driver, source, identity)
	if p == nil {
		return nil
	}
	p.tentative = false
	r.mu.Lock()
	r.pools[p] = struct{}{}
	r.mu.Unlock()
	p.arm()
	return p
}

// PreparePool is OpenPool for what may become a *sql.DB, or several. It is
// recorded as opened here, but only while it has connections.
func (r *Registry) PreparePool(name, driver, source string, identity uint64) *Pool {
	if r == nil || r.Off() {
		return nil
	}
	c := startClock()
	p := &Pool{
		ID: r.seq.Add(1), Name: name, Driver: driver, Source: source, Identity: identity,
		Wall: c.start, tentative: true, reg: r, clock: c,
	}
	p.Opened.fill(p)
	if r.asked.Load() > 0 {
		p.guard = inherited().guardOf(r)
	}
	return p
}

// Close records that the *sql.DB was closed. The pool stays listed for as
// long as connections are in use.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	again := p.closed
	p.closed = true
	p.mu.Unlock()
	if !again {
		p.Opened.Stack.Ended.Add(1)
		p.arm() // the sweep counts the DBs
	}
	p.forgetIfDone()
}

// Closed reports whether the *sql.DB was closed.
func (p *Pool) Closed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (p *Pool) forgetIfDone() {
	p.reg.mu.Lock()
	defer p.reg.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if (p.closed || p.tentative) && len(p.conns) == 0 {
		delete(p.reg.pools, p)
	}
}

// Connected records a new physical connection, made on the calling
// goroutine. If an application's call asked for it, it is in use.
func (p *Pool) Connected(ctx context.Context) *Conn {
	if p == nil || p.reg.Off() {
		return nil
	}
	p.learnDB()
	c := newConn(p)
	if c.Acquired(ctx); c.acq.Stack == nil { // recording is off since just now
		return nil
	}
	o := c.acq.Stack.Origin
	c.wrapped = o.Wrapped
	// Some connect on a goroutine of their own, or for later.
	c.direct = !o.Wrapped && o != callstack.Origin{}
	p.mu.Lock()
	first := len(p.conns) == 0
	c.index = len(p.conns)
	p.conns = append(p.conns, c)
	p.opened += c.acquires()
	p.mu.Unlock()
	if first && !p.hidden {
		// The pool is tentative, or one connector serves several *sql.DB: the
		// first Close of them isn't the end.
		p.reg.mu.Lock()
		p.reg.pools[p] = struct{}{}
		p.reg.mu.Unlock()
	}
	p.arm()
	return c
}

// list returns the connections of the pool, in no order.
func (p *Pool) list() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.conns)
}

// removeLocked removes a connection, if it is there.
func (p *Pool) removeLocked(c *Conn) {
	last := len(p.conns) - 1
	if c.index > last || p.conns[c.index] != c {
		return
	}
	moved := p.conns[last]
	p.gone += c.acquires()
	p.conns[c.index], moved.index = moved, c.index
	p.conns[last] = nil
	p.conns = p.conns[:last]
}

func (p *Pool) noteEnded(e Ended) {
	e.Count = 1
	p.endMu.Lock()
	if len(p.ended) < maxEnded {
		p.ended = append(p.ended, e)
	} else {
		if p.more == nil {
			p.more = make(map[Key]Ended)
		}
		of := p.more[e.Key]
		e.Count, e.Held = of.Count+1, max(of.Held, e.Held)
		p.more[e.Key] = e
	}
	p.endMu.Unlock()
	p.arm()
}

// TakeEnded returns the reported handles that were given back since it was
// last called: the first ones one by one, if there are many.
func (p *Pool) TakeEnded() []Ended {
	p.endMu.Lock()
	defer p.endMu.Unlock()
	ended := slices.AppendSeq(p.ended, maps.Values(p.more))
	p.ended, p.more = nil, nil
	return ended
}
