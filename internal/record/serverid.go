package record

import (
	"context"
	"database/sql/driver"
	"sync"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// Probe learns what the server calls a new connection.
type Probe interface {
	// Connect connects, with the errors of the connector, and says what the
	// server calls the connection; nil if it isn't known.
	Connect(ctx context.Context, c driver.Connector) (driver.Conn, *ServerID, error)
}

// ServerID is what a server calls a connection.
type ServerID struct {
	ID uint64 // the server's number of it
	// Server tells servers apart, as numbers are each server's own.
	Server string
	// Since is when the number was learned.
	Since time.Time
}

// probing is how the pool's server is asked. Connector is the bare one, as
// long as the wrapped one is there.
type probing struct {
	probe     Probe
	connector func() driver.Connector
}

// SetProbe tells how the pool's connections are made. connector must not keep
// the *sql.DB alive and returns nil once it is gone.
func (p *Pool) SetProbe(probe Probe, connector func() driver.Connector) {
	if p != nil {
		p.probing.Store(&probing{probe, connector})
	}
}

// Probe returns what SetProbe was told; nil if nothing, or nothing any more.
func (p *Pool) Probe() (Probe, driver.Connector) {
	if s := p.probing.Load(); s != nil {
		return s.probe, s.connector()
	}
	return nil, nil
}

// SetServerID says what the server calls the connection.
func (c *Conn) SetServerID(s *ServerID) {
	if c != nil && s != nil {
		c.serverID.Store(s)
	}
}

// TakeServerID is for a record that gives way to another one.
func (c *Conn) TakeServerID() *ServerID { return c.serverID.Swap(nil) }

// ServerID is what the server calls the connection that the handle is open on;
// nil if it isn't known.
func (v *View) ServerID() *ServerID {
	if v.conn == nil {
		return nil
	}
	return v.conn.serverID.Load()
}

// ServerIDs returns what is known of the pool's connections, in use or not.
func (p *Pool) ServerIDs() (out []*ServerID) {
	for _, c := range p.list() {
		if s := c.serverID.Load(); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// ClosedConn is a connection that was closed.
type ClosedConn struct {
	ServerID
	Pool     string
	PoolID   uint64
	Stack    *callstack.Stack // who acquired it last
	ClosedAt time.Time
}

// maxClosedConns bounds the closed connections that are remembered.
const maxClosedConns = 256

// closedConns are the latest, in a ring.
type closedConns struct {
	mu   sync.Mutex // guards the rest
	ring []ClosedConn
	next int
}

func (r *closedConns) add(s ClosedConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) < maxClosedConns {
		r.ring = append(r.ring, s)
		return
	}
	r.ring[r.next] = s
	r.next = (r.next + 1) % maxClosedConns
}

// ClosedConns returns the connections that were closed last.
func (r *Registry) ClosedConns() []ClosedConn {
	r.closedConns.mu.Lock()
	defer r.closedConns.mu.Unlock()
	return append([]ClosedConn(nil), r.closedConns.ring...)
}

// rememberClosed remembers a connection that is being closed.
func (c *Conn) rememberClosed() {
	if s := c.TakeServerID(); s != nil {
		p := c.pool
		p.reg.closedConns.add(ClosedConn{
			ServerID: *s, Pool: p.Name, PoolID: p.ID, Stack: c.acq.Stack, ClosedAt: time.Now(),
		})
	}
}
