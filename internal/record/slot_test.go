package record

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// prepared is a connection on which statements are prepared, all by one line.
type prepared struct {
	*Conn
	t     *testing.T
	stack *callstack.Stack
}

func prepareOn(t *testing.T) *prepared {
	r := NewRegistry(func(p *Pool) bool { p.Look(Policy{}, true); return false }, func() time.Duration { return time.Hour }, nil)
	p := r.OpenPool("", "", "", 0)
	p.returns.Store(true)
	c := p.Connected(ctx)
	c.Released()
	origin := callstack.Origin{Method: callstack.MethodPrepare, Transient: true}
	return &prepared{c, t, &callstack.Stack{Origin: origin, Shared: true}}
}

// prepare does what (*sql.DB).Prepare does.
func (c *prepared) prepare() *Anchor {
	c.Acquired(ctx)
	c.acq.Stack = c.stack
	a := &Anchor{}
	c.Stmt(ctx, a, "")
	c.Released()
	return a
}

// use acquires and releases the connection for something else.
func (c *prepared) use() {
	c.Acquired(ctx)
	c.Released()
}

func (c *prepared) sweep() []View {
	views, _ := c.pool.Look(Policy{}, true)
	return views
}

// report reports all statements.
func (c *prepared) report() {
	for _, v := range c.sweep() {
		v.Report("finding")
	}
}

// wantEnds checks how many statements of the line were closed, as far as a sweep
// knows, and how many ends of reported ones were told.
func (c *prepared) wantEnds(closed uint64, told int) {
	c.t.Helper()
	c.sweep()
	c.sweep()
	if n := c.stack.Ended.Load(); n != closed {
		c.t.Errorf("%d ends were counted, want %d", n, closed)
	}
	if ended := c.pool.TakeEnded(); len(ended) != told {
		c.t.Errorf("%d ends were told, want %d", len(ended), told)
	}
	if c.slotHasWork() {
		c.t.Error("the slot asks for more sweeps")
	}
}

// TestSlot: each end of a statement is counted once, and told once if it was
// reported, unless it may be the pool that closed it, with the connection.
func TestSlot(t *testing.T) {
	for _, tt := range []struct {
		name   string
		run    func(c *prepared)
		closed uint64
		told   int
	}{
		{"open", func(c *prepared) { c.prepare() }, 0, 0},
		{"closed, then idle", func(c *prepared) { c.prepare().Closed() }, 1, 0},
		{"closed, then used", func(c *prepared) { c.prepare().Closed(); c.use() }, 1, 0},
		{"closed, then swept and used", func(c *prepared) { c.prepare().Closed(); c.sweep(); c.use(); c.use() }, 1, 0},
		{"closed twice", func(c *prepared) { a := c.prepare(); a.Closed(); a.Closed(); c.use() }, 1, 0},
		{"closed by the pool", func(c *prepared) { c.prepare().Closed(); c.Closed() }, 0, 0},
		{"one after the other", func(c *prepared) {
			for range 5 {
				c.prepare().Closed()
			}
		}, 5, 0},
		{"by another line in between", func(c *prepared) {
			c.prepare().Closed()
			mine := c.stack
			c.stack = &callstack.Stack{Origin: mine.Origin}
			c.prepare().Closed()
			c.stack = mine
			c.prepare().Closed()
		}, 2, 0},
		{"closed by the pool after others", func(c *prepared) {
			c.prepare().Closed()
			c.prepare().Closed()
			c.Closed()
		}, 1, 0},
		{"closed after the connection", func(c *prepared) { a := c.prepare(); c.Closed(); a.Closed() }, 0, 0},
		{"open at once", func(c *prepared) {
			a, b := c.prepare(), c.prepare()
			b.Closed()
			a.Closed()
			c.use()
		}, 2, 0},
		{"reported and closed", func(c *prepared) { a := c.prepare(); c.report(); a.Closed() }, 1, 1},
		{"reported, closed, then used", func(c *prepared) { a := c.prepare(); c.report(); a.Closed(); c.use(); c.prepare().Closed() }, 2, 1},
		{"reported and closed by the pool", func(c *prepared) { a := c.prepare(); c.report(); a.Closed(); c.Closed() }, 0, 0},
		{"reported as it is closed, then idle", func(c *prepared) { c.reportLate(c.prepare()) }, 1, 1},
		{"reported as it is closed, then used", func(c *prepared) { c.reportLate(c.prepare()); c.use() }, 1, 1},
		{"reported as it is closed, then served again", func(c *prepared) { c.reportLate(c.prepare()); c.use(); c.prepare() }, 1, 1},
		{"reported as it is closed by the pool", func(c *prepared) { c.reportLate(c.prepare()); c.Closed() }, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := prepareOn(t)
			tt.run(c)
			c.wantEnds(tt.closed, tt.told)
		})
	}
}

// reportLate closes a statement while a reader, who has seen it open, reports it.
func (c *prepared) reportLate(a *Anchor) {
	s := c.slot.Load()
	a.Closed()
	s.h.report = report{key: "finding", told: ToldOverdue}
	s.reported.Store(true)
}

// TestSlotIsSeen: a statement in the slot is looked at like any other, and only
// while it is open.
func TestSlotIsSeen(t *testing.T) {
	c := prepareOn(t)
	var open []*Anchor
	for n := range 4 {
		if views := c.sweep(); len(views) != n {
			t.Errorf("%d statements are seen, want %d", len(views), n)
		}
		open = append(open, c.prepare())
	}
	if c.countStmts() != 4 || len(c.stmts) != 3 {
		t.Errorf("%d statements, %d of them listed, want 4 and 3", c.countStmts(), len(c.stmts))
	}
	for n, a := range open {
		a.Closed()
		if views := c.sweep(); len(views) != 3-n {
			t.Errorf("%d statements are seen, want %d", len(views), 3-n)
		}
	}
}

// TestSlotServesAgain, once in each acquire: those that look at it are waited for
// only then.
func TestSlotServesAgain(t *testing.T) {
	c := prepareOn(t)
	for range 3 {
		a := c.prepare()
		if c.inSlot(a.h) == nil {
			t.Error("a statement isn't in the free slot")
		}
		a.Closed()
	}
	c.Acquired(ctx)
	c.acq.Stack = c.stack
	var a, b Anchor
	c.Stmt(ctx, &a, "")
	a.Closed()
	if c.Stmt(ctx, &b, ""); c.inSlot(b.h) != nil || len(c.stmts) != 1 {
		t.Error("a second statement of an acquire is in the slot")
	}
}

// TestSlotTellsWhen: a statement was held until it was closed, not until that was
// noticed.
func TestSlotTellsWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := prepareOn(t)
		for _, held := range []time.Duration{5 * time.Second, 2 * time.Second} {
			a := c.prepare()
			c.report()
			c.pool.armed.Store(false)
			time.Sleep(held)
			if a.Closed(); !c.pool.armed.Load() {
				t.Error("no sweep is under way that counts the end")
			}
			time.Sleep(time.Minute)
			c.sweep()
			if ended := c.pool.TakeEnded(); len(ended) != 1 || ended[0].Held != held {
				t.Errorf("told %+v, want one that was held for %v", ended, held)
			}
		}
		a := c.prepare()
		time.Sleep(time.Second)
		c.reportLate(a)
		time.Sleep(time.Second)
		c.sweep()
		if ended := c.pool.TakeEnded(); len(ended) != 1 || ended[0].Held != 2*time.Second {
			t.Errorf("told %+v, want one that was held for two seconds, as far as is known", ended)
		}
	})
}

// What is known of a statement from its context is kept with it.
func TestSlotIsForNoTerms(t *testing.T) {
	c := prepareOn(t)
	c.Acquired(WithTerms(ctx, Terms{LongLived: "cache"}))
	c.acq.Stack = c.stack
	var a Anchor
	c.Stmt(ctx, &a, "")
	if c.inSlot(a.h) != nil || a.h.terms == nil {
		t.Error("a statement on terms is in the slot")
	}
}

// A statement that nobody closes on a connection in use is not counted while
// somebody might still be about to close the connection.
func TestSlotInUse(t *testing.T) {
	c := prepareOn(t)
	a := c.prepare()
	c.Acquired(ctx)
	c.acq.Stack = c.stack
	a.Closed()
	if c.sweep(); c.stack.Ended.Load() != 0 {
		t.Error("an end is counted before the connection is back in the pool")
	}
	c.Released()
	c.wantEnds(1, 0)
}

// TestToldAsItIsAcquired: what was reported of a connection that is just being
// acquired again is told by a sweep that comes first.
func TestToldAsItIsAcquired(t *testing.T) {
	for name, end := range map[string]func(c *prepared){
		"statement": func(c *prepared) {
			a := c.prepare()
			c.report()
			a.Closed()
		},
		"connection": func(c *prepared) {
			take(c.Conn, callstack.MethodConn)
			reportAll(c.Conn)
			releaseUnreported(c.Conn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := prepareOn(t)
			end(c)
			c.state.exchange(acquiring)
			c.sweep()
			if ended := c.pool.TakeEnded(); len(ended) != 1 {
				t.Errorf("told of %d ends, want one", len(ended))
			}
			c.state.exchange(0)
			c.use()
			if ended := c.pool.TakeEnded(); len(ended) != 0 {
				t.Errorf("told of %d ends again", len(ended))
			}
		})
	}
}
