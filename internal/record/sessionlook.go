package record

import (
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/session"
)

// SessionView says what a view of KindSession is about.
type SessionView struct {
	What    session.Aspect
	Returns int // how often the connection went back to the pool with it
	// Taken is set if another goroutine has had the connection since, InPool
	// while nobody has it, and then for how long.
	Taken, InPool bool
	For           time.Duration
}

// sessionGrace is for how long a connection may lie in the pool in the midst of
// something: who has the pool to himself takes it out again.
const sessionGrace = time.Second

// eachLeft calls f with what is known to be left, of each statement once.
func (c *Conn) eachLeft(f func(s *dirtySession, l *leftBehind)) {
	s := c.session.Load()
	if s == nil {
		return
	}
	checks := c.pool.reg.checks()
	last := uint64(0)
	for _, l := range s.marks {
		known := l.returns > 0 && (s.inPool || l.taken || l.key != "")
		if known && l.what&checks != 0 && l.seq != last {
			last = l.seq
			f(s, l)
		}
	}
}

// sessions adds the views of what was left on the present connection. It is
// overdue if it lay in the pool for a while, or somebody else got it. Who has
// one connection only may do one thing after the other on it, and take the time
// that a transaction has, and goroutines may take turns.
func (l *looker) sessions() {
	if l.sweep {
		l.sweepSession()
	}
	l.conn.eachLeft(func(s *dirtySession, left *leftBehind) {
		v := l.add()
		left.fill(v, s, l.now, l.policy)
		l.complete(v)
		grace, turn := sessionGrace, time.Duration(0)
		if l.alone {
			grace, turn = max(l.policy.Tx, sessionGrace), sessionGrace
		}
		long := s.inPool && l.now-s.at >= grace && (!l.alone || l.policy.Tx > 0)
		taken := left.taken && l.now-left.takenAt >= turn
		v.Overdue = v.LongLived == "" && (long || taken || left.key != "")
		l.n.Sessions++
	})
}

// locks reports whether a statement took a lock on the connection, or listens,
// as far as that is checked.
func (c *Conn) locks() bool {
	const holding = session.Tables | session.Lock | session.TryLock | session.Listen
	s := c.session.Load()
	return s != nil && slices.ContainsFunc(s.marks, func(l *leftBehind) bool { return l.what&holding != 0 })
}

// sweepSession looks for contexts that are over.
func (l *looker) sweepSession() {
	if s := l.conn.session.Load(); s != nil {
		for _, left := range s.marks {
			l.sweepEnd(&left.end)
		}
	}
}

// fill fills an empty view but for what is the connection's.
func (l *leftBehind) fill(v *View, s *dirtySession, now time.Duration, policy Policy) {
	v.Mark, v.ID.seq, v.Kind, v.Query, v.Reported, v.Left = l.Mark, l.seq, KindSession, l.query, l.key, l.left
	v.Session = &SessionView{What: l.what, Returns: l.returns, Taken: l.taken, InPool: s.inPool}
	if s.inPool {
		v.Session.For = max(0, now-s.at)
	}
	v.left, v.end = l, l.end
	v.setTerms(policy, l.terms)
}

// isAlone reports whether the pool has one connection at most, as far as it is
// known. Then one goroutine may well have a transaction over several calls.
func (p *Pool) isAlone(conns int) bool {
	if p.dirty.Load() == 0 || conns > 1 {
		return false
	}
	stats, known := p.Stats()
	return !known || stats.MaxOpenConnections == 1
}

// sessionHasWork reports whether a sweep is to look at what was left.
func (c *Conn) sessionHasWork(now time.Duration) (has bool) {
	const patience = 24 * time.Hour // in a bubble, as for handles
	c.eachLeft(func(s *dirtySession, _ *leftBehind) {
		has = has || !c.pool.clock.bubbled() || now-s.at < patience
	})
	return has
}
