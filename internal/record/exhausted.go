package record

import (
	"database/sql"
	"slices"
	"sync"
	"time"
)

// acquireStep is what an acquire adds to a connection's seq: the handles of an
// acquire are counted below it.
const acquireStep = 1 << 20

// acquires is how often the connection left the pool, as far as was seen.
func (c *Conn) acquires() uint64 { return c.acq.seq / acquireStep }

// Moves tells whether a pool's connections come and go: two looks between which
// none did have equal ones.
type Moves struct {
	acquires  uint64        // of all connections that the pool ever had
	opened    uint64        // those for which the caller opened the connection
	newest    time.Duration // when the latest of those in use was
	acquiring bool          // one is under way
	idle      int
}

func (m *Moves) add(c *Conn, state uint64) {
	if state == acquiring { // acq is being written
		m.acquiring = true
		return
	}
	m.acquires += c.acquires()
	if state&inUse == 0 {
		m.idle++
		return
	}
	m.newest = max(m.newest, c.acq.At)
}

// present lists the pool's connections, in no order, and counts the moves that
// they don't tell.
func (p *Pool) present() ([]*Conn, Moves) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.conns), Moves{acquires: p.gone, opened: p.opened}
}

const (
	// exhaustedAfter is for how long no connection may have come back to a
	// full pool before it is exhausted, and maxStill how much of it may pass
	// between two looks: a process that is stopped for a while has nothing
	// move. A full pool is looked at once a second, for hurryFor.
	exhaustedAfter = time.Second
	maxStill       = exhaustedAfter / 2
	hurryFor       = time.Minute
)

// Exhaustion is what is known of a pool that is exhausted: all connections that
// its limit allows are in use, none comes back, and somebody asked for one.
type Exhaustion struct {
	Limit, InUse int
	// Since is when a connection was last acquired: as all are in use, none
	// was released later.
	Since time.Duration
	// Waiting is how many calls, at least, have begun to wait and got no
	// connection. GaveUp is set if some of them wait no more.
	Waiting int
	GaveUp  bool
}

// crowd follows how crowded a pool is.
//
// database/sql counts the calls that begin to wait, and sums up for how long
// those have waited that wait no more. So while that sum stands still, whoever
// has begun to wait still does; and where no connection is acquired, he who
// waits no more has given up. Else there were no more waits that ended well than
// acquires. That may be all that is known of calls that began to wait while
// connections came and went, and then it may be too little to tell that they
// wait: until another call does.
type crowd struct {
	mu        sync.Mutex // guards the rest
	last      look
	exhausted bool // as of the last sweep
}

// look is what one look at a pool, and those before, have told of it.
type look struct {
	moves Moves
	stats sql.DBStats
	full  bool
	ended bool // somebody waits no more who did at the look before
	at    time.Duration
	still time.Duration // since it was first seen as it is now, full
	// waiting is how many calls, at least, have begun to wait and got no
	// connection; gaveUp tells that one of them waits no more.
	waiting int64
	gaveUp  bool
}

// Crowded is for sweeps: it takes in what one counted, and says whether the
// pool is exhausted. A pool of which the *sql.DB is not known never is.
func (p *Pool) Crowded(n Counts) (Exhaustion, bool) {
	stats, fresh := p.freshStats() // after the sweep: see look.next
	now := p.now()
	c := &p.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	if !fresh { // the DB is gone, or holds its lock
		_, known := p.stats.latest()
		c.exhausted = c.exhausted && known && !c.last.moved(n.Moves)
		return c.last.exhaustion(), c.exhausted
	}
	c.last = c.last.next(n.Moves, stats, now, p.clock.bubbled())
	if c.last.full && c.last.still < hurryFor || n.Moves.acquiring {
		p.soon.Store(true)
	}
	c.exhausted = c.last.full && c.last.still >= exhaustedAfter && c.last.waiters() > 0
	return c.last.exhaustion(), c.exhausted
}

// Exhausted is for readers: it says whether the last sweep found the pool
// exhausted, and it still is, as n and its Stats say.
func (p *Pool) Exhausted(n Counts, stats sql.DBStats) (Exhaustion, bool) {
	c := &p.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.last.next(n.Moves, stats, p.now(), p.clock.bubbled())
	if !c.exhausted || !now.full || c.last.moved(n.Moves) {
		return Exhaustion{}, false
	}
	return now.exhaustion(), true
}

// next takes in another look. Its moves were read before its stats: who was
// counted as waiting, and has got a connection meanwhile, will be seen to have
// acquired it by the look after. In a testing/synctest bubble, waits may take
// no time.
func (l look) next(m Moves, s sql.DBStats, now time.Duration, bubbled bool) look {
	if m.acquiring { // the moves can't be told: count them with those to come
		l.full = false
		return l
	}
	began := s.WaitCount - l.stats.WaitCount
	got := int64(m.afterWaiting() - l.moves.afterWaiting())
	ended := s.WaitDuration != l.stats.WaitDuration
	n := look{moves: m, stats: s, ended: ended, at: now}
	n.full = s.MaxOpenConnections > 0 && s.InUse >= s.MaxOpenConnections
	before := l.waiting
	if l.gaveUp || l.ended && ended {
		before = 0 // how many of them have given up isn't known
	}
	switch {
	case !n.full:
	case l.full && !l.moved(m):
		n.still = l.still + min(now-l.at, maxStill)
		n.waiting = l.waiting + began
		n.gaveUp = l.gaveUp || ended && n.waiting > 0
	case ended || bubbled:
		n.waiting = max(0, before+began-got)
	case l.ended: // perhaps a wait whose acquire was yet to come
		n.waiting = max(0, before-got) + began
	default:
		n.waiting = before + began
	}
	return n
}

// afterWaiting is how many acquires may have ended a wait: he who opens a
// connection doesn't wait for one.
func (m Moves) afterWaiting() uint64 { return m.acquires - m.opened }

// moved also sees a connection on its way from one caller to another.
func (l look) moved(m Moves) bool {
	return m.acquires != l.moves.acquires || m.idle > l.moves.idle
}

// waiters leaves out callers who have got a connection from the pool that it
// opened for them, and have not used it yet: it looks idle.
func (l look) waiters() int64 { return l.waiting - int64(l.moves.idle) }

func (l look) exhaustion() Exhaustion {
	return Exhaustion{
		Limit: l.stats.MaxOpenConnections, InUse: l.stats.InUse,
		Since: l.moves.newest, Waiting: int(l.waiters()), GaveUp: l.gaveUp,
	}
}

// Acquires is how often connections left the pool, as far as was seen.
func (p *Pool) Acquires() uint64 {
	_, n := p.Look(Policy{}, false)
	return n.Moves.acquires
}

// Holders are what holds the pool's connections: one view for each that is in
// use.
func (p *Pool) Holders(policy Policy) []View {
	views, _ := p.Look(policy, false)
	return onePerConn(views)
}

// onePerConn leaves one view of each connection that is in use.
func onePerConn(views []View) []View {
	holding := make(map[*Conn]bool)
	return slices.DeleteFunc(views, func(v View) bool {
		if v.Kind == KindStmt || v.Kind == KindSession || holding[v.conn] {
			return true
		}
		holding[v.conn] = true
		return false
	})
}
