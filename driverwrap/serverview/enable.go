package serverview

import (
	"context"
	"database/sql/driver"
	"sync/atomic"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/record"
)

// An Option changes what [Enable] does.
type Option func(*probe)

// Enable has the server's number of each new connection learned, and so lets
// [Look] find the connections of the pool. Where the number can't be had
// nothing else changes: no connect fails for it.
func Enable(opts ...Option) driverwrap.Option {
	p := &probe{turn: make(chan struct{}, 1)}
	for _, opt := range opts {
		if opt != nil {
			opt(p)
		}
	}
	return driverwrap.WithProbe(p)
}

// AskID has a new connection asked for its number by a query if nothing tells
// it for free. It costs a round trip for each connect, and two for the first.
func AskID() Option {
	return func(p *probe) { p.ask = true }
}

// Through has [Look] connect with c, e.g. by an account that may see other
// accounts' sessions, or has a connection in reserve when the server is full.
// It must connect to the server of the pool. The default is the pool's own
// connector.
func Through(c driver.Connector) Option {
	return func(p *probe) { p.through = c }
}

// probe learns numbers, and knows how to look at the server.
type probe struct {
	ask     bool
	through driver.Connector // or nil

	// turn is held by the look that is under way.
	turn chan struct{}

	// flavor is that of the server, once it was asked. unanswered counts how
	// often it gave no answer that was understood.
	flavor     atomic.Pointer[flavor]
	unanswered atomic.Int32
}

// maxUnanswered is how often a server is asked which it is.
const maxUnanswered = 3

// Connect connects with c and learns the number of the connection.
func (p *probe) Connect(ctx context.Context, c driver.Connector) (driver.Conn, *record.ServerID, error) {
	var told greeted
	conn, err := c.Connect(context.WithValue(ctx, greetedKey{}, &told))
	if err != nil {
		return nil, nil, err
	}
	if s := told.session(); s != nil {
		return conn, s, nil
	}
	if s := pgxSession(conn); s != nil {
		return conn, s, nil
	}
	if !p.ask || p.unanswered.Load() >= maxUnanswered {
		return conn, nil, nil
	}
	q, err := borrow(ctx, conn)
	if err == nil {
		var s *record.ServerID
		if s, err = p.askID(ctx, q); err == nil {
			return conn, s, nil
		}
	}
	// The connection may have been broken by it: the application gets one
	// that was not asked.
	q.discard()
	conn, err = c.Connect(ctx)
	return conn, nil, err
}

// askTimeout bounds the question for a number.
const askTimeout = 2 * time.Second

// askID asks the server for the number of a new connection.
func (p *probe) askID(connect context.Context, q *borrowed) (s *record.ServerID, err error) {
	defer func() {
		switch {
		case err == nil:
			p.unanswered.Store(0)
		case connect.Err() == nil:
			p.unanswered.Add(1)
		}
	}()
	defer q.caught(&err)
	ctx, cancel := context.WithTimeout(connect, askTimeout)
	defer cancel()
	f := p.flavor.Load()
	if f == nil {
		if f, _, err = flavorOf(ctx, q.Conn); err != nil {
			return nil, err
		}
		p.flavor.Store(f)
	}
	id, server, err := f.whoAmI(ctx, q.Conn)
	if err != nil {
		return nil, err
	}
	return newSession(id, server), nil
}

func newSession(id uint64, server string) *record.ServerID {
	return &record.ServerID{ID: id, Server: server, Since: time.Now()}
}
