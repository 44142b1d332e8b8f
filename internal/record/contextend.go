package record

import (
	"context"
	"sync/atomic"
	"time"
	"unsafe"
	"weak"
)

// contextEnd knows whether a handle's context is over. It keeps the context's
// channel until the first sweep, and then only looks at it for as long as
// somebody else keeps it: a channel in sight of the records would keep whoever
// waits for it from being proven stuck.
type contextEnd struct {
	done <-chan struct{} // nil from the first sweep on, or if it never ends
	aged weak.Pointer[channel]
	// over is when a sweep found that the context had ended; 0 if none did.
	over time.Duration
}

// channel is what a channel points to, as far as anybody needs to know.
type channel struct{ _ [8]byte }

func pointerOf(done <-chan struct{}) *channel {
	return *(**channel)(unsafe.Pointer(&done))
}

func (c *channel) done() <-chan struct{} {
	return *(*<-chan struct{})(unsafe.Pointer(&c))
}

// doneOf is nil for a context that never ends, and without one, which is a
// matter between the application and the driver.
func doneOf(ctx context.Context) <-chan struct{} {
	if ctx == nil {
		return nil
	}
	return ctx.Done()
}

// contextEndOf is that of a handle which is opened with a context of the
// channel. shared tells that the goroutine shares the pool's time: the channels
// of another bubble of testing/synctest must not be touched.
func contextEndOf(done <-chan struct{}, shared bool) contextEnd {
	if !shared {
		done = nil
	}
	return contextEnd{done: done}
}

// channel is nil if there is none, or none any more.
func (e *contextEnd) channel() *channel {
	if e.done != nil {
		return pointerOf(e.done)
	}
	return e.aged.Value()
}

// ended reports whether the context is over. Once its channel is gone, it is
// or never will be, which is the same to a handle. The caller must share the
// pool's time.
func (e *contextEnd) ended() bool {
	if e.over > 0 {
		return true
	}
	c := e.channel()
	if c == nil {
		return e.aged != weak.Pointer[channel]{}
	}
	select {
	case <-c.done():
		return true
	default:
		return false
	}
}

// sweep lets go of the channel, and notes when it was first found closed.
func (e *contextEnd) sweep(now time.Duration) {
	switch {
	case e.over > 0:
	case e.ended():
		*e = contextEnd{over: max(now, 1)}
	case e.done != nil:
		*e = contextEnd{aged: weak.Make(pointerOf(e.done))}
	}
}

// contextGrace is how long whoever holds a handle, or database/sql, may take to
// give it back once its context is over.
const contextGrace = time.Second

// sweepContexts looks for contexts that are over.
func (l *looker) sweepContexts() {
	c := l.conn
	if l.state&watched != 0 {
		c.bind.sweep(&c.acq.end)
	}
	if c.ends { // else acq.end need not even be fetched from memory
		l.sweepEnd(&c.acq.end)
	}
	for _, h := range c.open {
		l.sweepEnd(&h.end)
	}
}

func (l *looker) sweepEnd(e *contextEnd) {
	if e.done != nil {
		if l.aged >= l.maxAged {
			return
		}
		l.aged++
	}
	e.sweep(l.now)
	// Who had a second to give the handle back may have had less: the process
	// stood still if this sweep, which was to come soon, is late.
	if e.over > 0 && l.last-e.over < contextGrace && l.now-l.last > 3*contextGrace/2 {
		e.over = l.now
	}
	l.soon = l.soon || e.over > 0 && l.now-e.over < contextGrace
}

// deserted reports whether the handle's context is over, and nobody has used it
// since. Of rows and transactions that is rare: database/sql ends them, unless
// something is in its way. A lock is taken on a Conn to be held for longer than
// it may take to get it.
func (l *looker) deserted(v *View) bool {
	return v.LongLived == "" && v.ContextOver >= contextGrace && v.Idle >= contextGrace &&
		(v.Kind != KindConn || !l.conn.locks())
}

// bound reports whether the acquire is that of a Conn which is used in its
// context only.
func (l *looker) bound() bool { return l.state&watched != 0 && l.conn.bind.bound() }

// binding tells whether a Conn is used with the context that it was had with,
// and no other. One that was had in time and then used with other contexts is
// meant to outlive the first.
type binding struct {
	// used is the channel of the context that was used since a sweep.
	used atomic.Pointer[channel]
	// same and other are set by sweeps: what they saw of the acquire.
	same, other bool
}

// use is for the goroutine that uses the Conn.
func (b *binding) use(ctx context.Context) {
	c := &another
	if done := doneOf(ctx); done != nil {
		c = pointerOf(done)
	}
	switch b.used.Load() {
	case c, &another:
	case nil:
		b.used.Store(c)
	default:
		b.used.Store(&another)
	}
}

// lost is for who uses the Conn in ways that aren't seen.
func (b *binding) lost() { b.used.Store(&another) }

// another stands for the channels of contexts that differ, of those that never
// end, and of none.
var another channel

// begin is for the goroutine that acquires the connection.
func (b *binding) begin() {
	if b.same || b.other || b.used.Load() != nil {
		b.used.Store(nil)
		b.same, b.other = false, false
	}
}

// end lets go of the channel.
func (b *binding) end() { b.used.Store(nil) }

// sweep must come before that of the acquire's end, which may let go of the
// channel.
func (b *binding) sweep(e *contextEnd) {
	switch used := b.used.Swap(nil); {
	case used == nil:
	case used == e.channel():
		b.same = true
	default:
		b.other = true
	}
}

// bound reports whether the Conn has no other use than in its context.
func (b *binding) bound() bool { return b.same && !b.other }
