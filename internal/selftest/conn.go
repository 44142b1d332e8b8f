package selftest

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"sync"
)

// conn is a bare connection that closes what was opened on it, as nobody else
// can. Its driver is asked with ctx: rows to be lost must not have a context
// that may end.
type conn struct {
	driver.Conn
	ctx context.Context

	once sync.Once
	open []io.Closer
	err  error
}

// QueryContext runs a query without arguments, prepared if need be.
func (c *conn) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	if q, ok := c.Conn.(driver.QueryerContext); ok {
		rows, err := q.QueryContext(c.ctx, query, nil)
		if !errors.Is(err, driver.ErrSkip) {
			return c.keep(rows, err)
		}
	}
	stmt, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	c.open = append(c.open, stmt)
	if q, ok := stmt.(driver.StmtQueryContext); ok {
		return c.keep(q.QueryContext(c.ctx, nil))
	}
	//lint:ignore SA1019 some drivers have nothing else
	return c.keep(stmt.Query(nil))
}

func (c *conn) prepare(query string) (driver.Stmt, error) {
	if p, ok := c.Conn.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(c.ctx, query)
	}
	return c.Prepare(query)
}

func (c *conn) keep(rows driver.Rows, err error) (driver.Rows, error) {
	if err == nil {
		c.open = append(c.open, rows)
	}
	return rows, err
}

// Close closes the connection and what is open on it, once.
func (c *conn) Close() error {
	c.once.Do(func() {
		for _, o := range slices.Backward(c.open) {
			c.err = errors.Join(c.err, o.Close())
		}
		c.err = errors.Join(c.err, c.Conn.Close())
	})
	return c.err
}
