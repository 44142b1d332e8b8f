package record

import (
	"sync/atomic"
	"weak"

	"github.com/dbleaks-go/dbleaks/internal/reach"
)

// Stuck says that no goroutine that can run reaches a handle any more.
type Stuck struct {
	// Holder says which goroutine opened it, if that is blocked for ever, and
	// At on which line of the application; empty if it isn't so.
	Holder, At string
}

// reachedDB is what is known of who reaches a *sql.DB. Its connector is asked
// about in its place: the two live as long as each other.
type reachedDB struct {
	anchor atomic.Pointer[weak.Pointer[Anchor]]
	stuck  atomic.Pointer[Stuck]
}

// Watch ties the connector of the pool's *sql.DB to the pool.
func (p *Pool) Watch(a *Anchor) {
	if p != nil {
		w := weak.Make(a)
		p.db.anchor.Store(&w)
	}
}

// Stuck is set once the pool's *sql.DB was found out of reach.
func (p *Pool) Stuck() *Stuck { return p.db.stuck.Load() }

// Suspect is an open transaction, rows or DB, about which package reach can be
// asked. It doesn't keep it alive.
type Suspect struct {
	Mark
	Pool *Pool

	anchor weak.Pointer[Anchor]
	conn   *Conn
	handle *Handle // nil for a DB
	seq    uint64
}

// Suspects returns the DB and what is open on it, without what is known to be
// lost, and without what no sweep has met yet. Goroutines that live in a
// bubble of testing/synctest are never taken for blocked for ever, so pools
// that do have no suspects.
func (p *Pool) Suspects() (out []Suspect) {
	if p.clock.bubbled() {
		return nil
	}
	if w := p.db.anchor.Load(); w != nil && !p.Closed() && p.Stuck() == nil {
		out = append(out, Suspect{Mark: p.Opened, Pool: p, anchor: *w})
	}
	for _, c := range p.list() {
		out = c.suspects(out)
	}
	return out
}

func (c *Conn) suspects(out []Suspect) []Suspect {
	state := c.startReading()
	defer c.stopReading()
	if state&inUse == 0 {
		return out
	}
	var buf [8]*Handle
	for _, h := range c.openHandles(buf[:0], state) {
		if h.swept && !h.lost && h.stuck == nil {
			out = append(out, Suspect{Mark: h.Mark, Pool: c.pool, anchor: h.aged, conn: c, handle: h, seq: h.seq})
		}
	}
	return out
}

// Point is by what package reach knows the handle; nil if it is gone.
func (s Suspect) Point() *reach.Point {
	if a := s.anchor.Value(); a != nil {
		return &a.point
	}
	return nil
}

// SetStuck records that the handle is out of reach, unless it has ended.
func (s Suspect) SetStuck(why *Stuck) {
	if s.handle == nil {
		s.Pool.db.stuck.Store(why)
		return
	}
	c := s.conn
	state := c.startReading()
	defer c.stopReading()
	if s.handle.seq == s.seq && (s.handle != &c.first || state&firstOpen != 0) {
		s.handle.stuck = why
	}
}
