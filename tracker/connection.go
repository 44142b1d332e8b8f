package tracker

import (
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Connection is a physical connection that its database server has a number
// for, as the tracker knows it. Numbers are known of pools that were opened with
// package serverview, which looks at the server's side.
type Connection struct {
	ID uint64 // the server's number of the connection
	// Server tells servers apart, as the numbers are each server's own.
	Server string
	// Since is when the number was learned: when the connection was made.
	Since      time.Time
	Pool       string // the pool's name
	PoolID     uint64
	PoolClosed bool // (*sql.DB).Close was called
	// Findings are what holds the connection, each with a Count of 1; usually
	// one. Empty if the connection is idle in its pool.
	Findings []Finding
	// ClosedAt is zero unless this process closed the connection; then LastSite
	// is the line that used it last. The latest 256 are remembered.
	ClosedAt time.Time
	LastSite Frame
}

// Connections returns the connections that servers' numbers are known of, open
// ones first, the oldest pool first.
func (t *Tracker) Connections() (out []Connection) {
	cfg := t.cfg.Load()
	for _, p := range t.reg.Pools() {
		out = append(out, cfg.connections(p)...)
	}
	for _, s := range t.reg.ClosedConns() {
		out = append(out, Connection{
			ID: s.ID, Server: s.Server, Since: s.Since, Pool: s.Pool, PoolID: s.PoolID,
			ClosedAt: s.ClosedAt, LastSite: frame(s.Stack.Locate(cfg.libraries).Site),
		})
	}
	return out
}

func (c *config) connections(p *record.Pool) []Connection {
	ids := p.ServerIDs()
	if len(ids) == 0 {
		return nil
	}
	views, _ := p.Look(c.policy, false)
	holders := make(map[*record.ServerID][]Finding)
	for i := range views {
		v := &views[i]
		if s := v.ServerID(); s != nil && v.Kind != record.KindStmt {
			g := &group{key: c.keyOf(v), kind: kindOf(v.Kind, v.Stack), stacks: []*callstack.Stack{v.Stack}}
			g.add(v)
			holders[s] = append(holders[s], c.finding(g))
		}
	}
	out := make([]Connection, 0, len(ids))
	for _, s := range ids {
		out = append(out, Connection{
			ID: s.ID, Server: s.Server, Since: s.Since,
			Pool: p.Name, PoolID: p.ID, PoolClosed: p.Closed(), Findings: holders[s],
		})
	}
	return out
}
