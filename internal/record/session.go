package record

import (
	"context"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/session"
)

// dirtySession is what statements left behind on a connection. A connection has
// one only while there is something: most never do. The goroutine that records
// replaces and changes it, under the connection's mu.
type dirtySession struct {
	dialect session.Dialect
	marks   []*leftBehind
	// inPool is set while the connection is in the pool, since at.
	inPool bool
	at     time.Duration
}

// leftBehind is one thing that a statement of the application's left.
type leftBehind struct {
	opening // the statement's
	seq     uint64
	query   string
	what    session.Aspect // one of them
	name    string         // of a setting
	returns int            // how often the connection went back to the pool with it
	taken   bool           // another goroutine got the connection since, first at takenAt
	takenAt time.Duration
	report
}

// maxLeft bounds what is kept of a connection.
const maxLeft = 16

// CheckSessions sets what is noted of connections that go back to their pool.
func (r *Registry) CheckSessions(what session.Aspect) { r.sessions.Store(uint32(what)) }

func (r *Registry) checks() session.Aspect { return session.Aspect(r.sessions.Load()) }

// Driver is the name of the driver that the pool was opened with.
func (c *Conn) Driver() string { return c.pool.Driver }

// Dirty reports whether something was left behind on the connection.
func (c *Conn) Dirty() bool { return c.session.Load() != nil }

// Ran records that a text was run.
func (c *Conn) Ran(ctx context.Context, text string, d session.Dialect) {
	checks := c.pool.reg.checks()
	if c.pool.reg.Off() || checks == 0 && !c.Dirty() {
		return
	}
	effects := session.Effects(text, d)
	if len(effects) == 0 {
		return
	}
	var o opening
	if slices.ContainsFunc(effects, func(e session.Effect) bool { return e.Begins&checks != 0 }) {
		if byConnector() {
			checks = 0 // every connection is to have it
		} else {
			done := doneOf(ctx)
			o.terms = c.pool.terms(ctx)
			o.end = contextEndOf(done, o.fill(c.pool))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	s := c.session.Load()
	if s == nil {
		s = &dirtySession{dialect: d}
	}
	for _, e := range effects {
		c.endSessionLocked(s, e.Ends, e.Name)
		if e.Begins&checks != 0 {
			c.leaveLocked(s, leftBehind{opening: o, seq: c.seq, query: text, what: e.Begins, name: e.Name})
		}
	}
	c.setSessionLocked(s)
}

// byConnector reports whether a wrapper of another package runs a text by itself,
// as the pool asks it for a connection.
func byConnector() bool {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if method, ok := strings.CutPrefix(f.Function, "database/sql."); ok {
			return method == "(*DB).conn" || method == "(*DB).openNewConnection" || method == "(*driverConn).resetSession"
		}
		if !more {
			return false
		}
	}
}

// leaveLocked adds something to the session. What is there already goes on; but
// who changes a setting again is taken to change it back.
func (c *Conn) leaveLocked(s *dirtySession, l leftBehind) {
	same := func(o *leftBehind) bool { return o.what == l.what && o.name == l.name }
	i := slices.IndexFunc(s.marks, same)
	switch {
	case i < 0 && len(s.marks) < maxLeft:
		l.terms.opened()
		s.marks = append(s.marks, &l)
	case i >= 0 && l.what == session.Setting && s.marks[i].Goroutine == l.Goroutine:
		c.endSessionLocked(s, session.Setting, l.name)
	}
}

// Failed records that a text, or reading its result, ended in an error: what it
// would have ended or begun isn't known any more, nor is a transaction that may
// not have survived it.
func (c *Conn) Failed(text string, survives bool) {
	s := c.session.Load()
	if s == nil {
		return
	}
	var over session.Aspect
	for _, e := range session.Effects(text, s.dialect) {
		over |= e.Ends | e.Begins
	}
	if !survives {
		over |= session.Tx
	}
	c.Settled(over)
}

// Settled records that what was left behind isn't there any more.
func (c *Conn) Settled(what session.Aspect) {
	s := c.session.Load()
	if s == nil || what == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endSessionLocked(s, what, "")
	c.setSessionLocked(s)
}

// Unseen records that the connection may be used in ways that nobody sees.
func (c *Conn) Unseen() {
	c.Settled(session.All)
	c.bind.lost()
}

// settleCall records what the driver call in progress ends, if it is that of a
// transaction.
func (c *Conn) settleCall() {
	switch Op(c.calls.own() & 0xff) {
	case OpCommit:
		c.Settled(session.Tx)
	case OpRollback:
		c.Settled(session.Tx | session.Setting | session.Listen)
	}
}

// Dirty is that of the handle's connection.
func (a *Anchor) Dirty() bool { return a.h.conn.Dirty() }

// Failed records that the handle's driver call ended in an error, or with
// [io.EOF].
func (a *Anchor) Failed(err error) {
	s := a.h.conn.session.Load()
	if s == nil || err == io.EOF {
		return
	}
	text := "" // not known
	if a.seq == a.h.seq {
		text = a.h.query
	}
	a.h.conn.Failed(text, session.Survives(err, s.dialect))
}

// endSessionLocked removes what has ended, and tells of it if it was reported;
// of settings, those of the name if there is one.
func (c *Conn) endSessionLocked(s *dirtySession, what session.Aspect, name string) {
	s.marks = slices.DeleteFunc(s.marks, func(l *leftBehind) bool {
		if l.what&what == 0 || l.what == session.Setting && name != "" && l.name != name {
			return false
		}
		l.terms.ended()
		c.tellEnd(&l.report, l.At)
		return true
	})
}

func (c *Conn) setSessionLocked(s *dirtySession) {
	was := c.session.Load() != nil
	if len(s.marks) == 0 {
		s = nil
	}
	c.session.Store(s)
	switch is := s != nil; {
	case is && !was:
		c.pool.dirty.Add(1)
	case was && !is:
		c.pool.dirty.Add(-1)
	}
}

// returnSession notes that the connection goes back to the pool as it is.
func (c *Conn) returnSession(s *dirtySession) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.inPool, s.at = true, c.pool.now()
	for _, l := range s.marks {
		l.returns++
	}
	c.pool.arm() // somebody is to see it there
}

// takeSession notes that the goroutine of the present acquire has the
// connection.
func (c *Conn) takeSession(s *dirtySession) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.inPool = false
	for _, l := range s.marks {
		if !l.taken && l.returns > 0 && l.Goroutine != c.acq.Goroutine {
			l.taken, l.takenAt = true, c.acq.At
		}
	}
}

// dropSessionLocked forgets the session of a connection that is closed. Nobody
// ended what was left on it.
func (c *Conn) dropSessionLocked() {
	s := c.session.Load()
	if s == nil {
		return
	}
	for _, l := range s.marks {
		l.terms.ended()
	}
	s.marks = nil
	c.setSessionLocked(s)
	c.pool.arm() // what was reported is over
}
