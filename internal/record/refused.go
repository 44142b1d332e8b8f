package record

import (
	"slices"
	"sync"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/servererr"
)

const (
	// maxRefusals bounds the refusals that are remembered.
	maxRefusals = 50
	// lookAgain is how long what is held is taken to be as it was.
	lookAgain = time.Second
	// refusedFor is how long ago the last call may have been refused, for
	// others that are to be of the same trouble.
	refusedFor = time.Minute
)

// Refusal is a number of calls that a database refused for one reason.
type Refusal struct {
	servererr.Refusal
	ID    uint64
	Pool  *Pool // the first whose call was refused
	Count uint64
	// First and Last are on the pool's clock. Over: the last one is some time
	// ago, and the next one is another Refusal.
	First, Last time.Duration
	Over        bool
	Held        Held

	lookedAt time.Duration
	ended    bool // everybody has heard that it is over
}

// refusals are those of a registry, the latest last.
type refusals struct {
	mu   sync.Mutex // guards the rest
	list []*Refusal
}

// Refused records that the database refused to make a connection.
func (p *Pool) Refused(r servererr.Refusal) {
	if p != nil {
		p.refused(r, nil)
	}
}

// Refused records that the database refused a call on the connection.
func (c *Conn) Refused(r servererr.Refusal) { c.pool.refused(r, c) }

// Refused is that of the handle's connection.
func (a *Anchor) Refused(r servererr.Refusal) { a.h.conn.Refused(r) }

func (p *Pool) refused(what servererr.Refusal, by *Conn) {
	if _, shared := p.clock.now(); !shared || p.hidden || p.reg.Off() {
		return
	}
	r, look := p.reg.refusals.count(p, what)
	if r == nil {
		return
	}
	if look {
		held := p.heldAgainst(what.What, by)
		p.reg.refusals.mu.Lock()
		r.Held = held
		p.reg.refusals.mu.Unlock()
		r.Pool.soon.Store(true)
	}
	r.Pool.arm()
}

// count counts a refused call, and says whether what is held is to be looked at.
// It returns nil if too much is refused at a time.
func (l *refusals) count(p *Pool, what servererr.Refusal) (r *Refusal, look bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range slices.Backward(l.list) {
		now, shared := r.Pool.time()
		if !shared || r.Refusal != what || r.over(now) || r.Pool.Name != p.Name ||
			r.Pool.Driver != p.Driver || r.Pool.Identity != p.Identity {
			continue
		}
		r.Count++
		r.Last = now
		if look = now-r.lookedAt >= lookAgain; look {
			r.lookedAt = now
		}
		return r, look
	}
	if len(l.list) >= maxRefusals {
		i := slices.IndexFunc(l.list, func(r *Refusal) bool { return r.ended })
		if i < 0 {
			return nil, false
		}
		l.list = slices.Delete(l.list, i, i+1)
	}
	now := p.now()
	r = &Refusal{Refusal: what, ID: p.reg.seq.Add(1), Pool: p, Count: 1, First: now, Last: now, lookedAt: now}
	l.list = append(l.list, r)
	return r, true
}

func (r *Refusal) over(now time.Duration) bool { return now-r.Last >= refusedFor }

// Refusals returns those that are remembered, the latest first.
func (r *Registry) Refusals() []Refusal {
	return r.refusals.all(func(*Refusal) bool { return true })
}

// Refusals returns those that the pool's sweeps are to tell of.
func (p *Pool) Refusals() []Refusal {
	return p.reg.refusals.all(func(r *Refusal) bool { return r.Pool == p && !r.ended })
}

func (l *refusals) all(wanted func(*Refusal) bool) (out []Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range slices.Backward(l.list) {
		if wanted(r) {
			r.Over = r.over(r.Pool.now())
			out = append(out, *r)
		}
	}
	return out
}

// RefusalEnded notes that everybody has heard that it is over.
func (r *Registry) RefusalEnded(id uint64) {
	r.refusals.mu.Lock()
	defer r.refusals.mu.Unlock()
	for _, e := range r.refusals.list {
		e.ended = e.ended || e.ID == id
	}
}

// Alike are the pools that connect to what the pool connects to, by the same
// data source, itself included.
func (p *Pool) Alike() []*Pool {
	return slices.DeleteFunc(p.reg.Pools(), func(q *Pool) bool {
		return q != p && (p.Identity == 0 || q.Identity != p.Identity || q.Driver != p.Driver)
	})
}
