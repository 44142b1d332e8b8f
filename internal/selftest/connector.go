package selftest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Plot is a throw-away DB to plant a leak in.
type Plot struct {
	DB   *sql.DB
	conn *connector
}

// NewPlot makes a DB like that of s, of which pool has the records. The calls
// into the driver are made with ctx.
func NewPlot(ctx context.Context, s Subject, pool *record.Pool) *Plot {
	c := &connector{ctx: ctx, subject: s, pool: pool}
	return &Plot{DB: sql.OpenDB(c), conn: c}
}

// Close leaves nothing, neither here nor in the database.
func (p *Plot) Close() error {
	var errs []error
	for _, c := range p.conn.made {
		errs = append(errs, c.Close())
	}
	return errors.Join(append(errs, p.DB.Close())...)
}

type connector struct {
	ctx     context.Context
	subject Subject
	pool    *record.Pool
	made    []driver.Conn
}

// Connect is called on the goroutine of a query.
func (c *connector) Connect(context.Context) (driver.Conn, error) {
	bare, err := c.subject.Connect(c.ctx)
	if err != nil {
		return nil, err
	}
	own := &conn{Conn: bare, ctx: c.ctx}
	wrapped := c.subject.Wrap(own, c.pool.Connected(context.Background()))
	c.made = append(c.made, wrapped)
	return wrapped, nil
}

// Driver is asked by nobody.
func (c *connector) Driver() driver.Driver { return nil }
