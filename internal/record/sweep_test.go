package record

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// TestLastSweepLeavesNothing ends what a sweep has seen open while it goes on,
// or after it. Nobody but another sweep tells of it then, or lets go of the
// application's objects.
func TestLastSweepLeavesNothing(t *testing.T) {
	for _, tt := range []struct {
		name      string
		open, end func(c *Conn, a *Anchor)
		told      int
	}{
		{
			name: "connection released as it is reported",
			open: func(c *Conn, a *Anchor) { take(c, callstack.MethodConn) },
			end:  func(c *Conn, a *Anchor) { reportAll(c); releaseUnreported(c) },
			told: 1,
		},
		{
			name: "rows closed as they are reported",
			open: func(c *Conn, a *Anchor) { take(c, callstack.MethodQuery); c.Rows(ctx, a, "") },
			end:  func(c *Conn, a *Anchor) { reportAll(c); releaseUnreported(c) },
			told: 1,
		},
		{
			name: "reported statement closed",
			open: func(c *Conn, a *Anchor) { take(c, callstack.MethodPrepare); c.Stmt(ctx, a, ""); c.Released() },
			end:  func(c *Conn, a *Anchor) { reportAll(c); a.Closed() },
			told: 1,
		},
		{
			name: "rows opened and closed",
			open: func(c *Conn, a *Anchor) {},
			end: func(c *Conn, a *Anchor) {
				take(c, callstack.MethodQuery)
				c.Rows(ctx, a, "")
				a.Closed()
				c.Released()
			},
		},
	} {
		check := func(t *testing.T, during bool) {
			told := 0
			meanwhile := func() {}
			p := NewRegistry(func(p *Pool) bool {
				p.Look(Policy{}, true)
				ended := p.TakeEnded()
				told += len(ended)
				meanwhile()
				return false
			}, func() time.Duration { return time.Hour }, nil).OpenPool("", "", "", 0)
			p.returns.Store(true)
			c := p.Connected(ctx)
			c.Released()
			var a Anchor
			tt.open(c, &a)
			end := func() { tt.end(c, &a) }
			if during {
				meanwhile = end
				if !p.sweepOnce() {
					t.Error("no sweep comes after the one in which it ended")
				}
			} else {
				p.sweepOnce()
				end()
				if p.ticked(false); !p.armed.Load() {
					t.Error("no sweep comes after the one that it ended behind")
				}
			}
			meanwhile = func() {}
			p.sweepOnce()
			if p.sweepOnce() {
				t.Error("sweeps go on though nothing is open")
			}
			if told != tt.told {
				t.Errorf("%d ends were told, want %d", told, tt.told)
			}
			if c.first.young != nil || len(c.endings) > 0 {
				t.Errorf("the connection keeps rows %v, ended statements %v", c.first.young, c.endings)
			}
		}
		for name, during := range map[string]bool{"during": true, "after": false} {
			t.Run(tt.name+"/"+name, func(t *testing.T) { check(t, during) })
			t.Run(tt.name+"/"+name+"/in a bubble", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { check(t, during) })
			})
		}
	}
}

// TestReportedStatementLeavesTheConnectionAlone reports a statement on an idle
// connection, as each sweep does while statements grow.
func TestReportedStatementLeavesTheConnectionAlone(t *testing.T) {
	p := NewRegistry(func(p *Pool) bool {
		views, _ := p.Look(Policy{}, true)
		for _, v := range views {
			v.Report("finding")
		}
		return false
	}, func() time.Duration { return time.Hour }, nil).OpenPool("", "", "", 0)
	p.returns.Store(true)
	c := p.Connected(ctx)
	take(c, callstack.MethodPrepare)
	var a Anchor
	c.Stmt(ctx, &a, "")
	c.Released()
	if p.sweepOnce() {
		t.Error("sweeps go on though nothing is in use")
	}
	if c.reported.Load() {
		t.Error("the connection is taken for reported")
	}
	if a.Closed(); len(c.stmts) > 0 || !c.slotHasWork() {
		t.Errorf("statements %v, ended %v", c.stmts, c.endings)
	}
}

var ctx = context.Background()

// take acquires the connection as if for a call of the method on a DB.
func take(c *Conn, m callstack.Method) {
	c.Acquired(ctx)
	c.acq.Stack = &callstack.Stack{Origin: callstack.Origin{Method: m, Transient: true}}
	c.opensFirst = c.pool.returns.Load()
}

// reportAll reports what is open on the connection.
func reportAll(c *Conn) {
	views, _ := c.pool.Look(Policy{}, false)
	for _, v := range views {
		v.Report("finding")
	}
}

// releaseUnreported releases the connection, as who saw that nothing was
// reported just before that changed.
func releaseUnreported(c *Conn) { c.state.publish(0) }
