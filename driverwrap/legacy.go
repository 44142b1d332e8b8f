package driverwrap

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/session"
)

// This file lends the modern interfaces to drivers that have the legacy ones
// only, in the words of database/sql (ctxutil.go, Go 1.27).

//lint:file-ignore SA1019 the legacy interfaces are what this file is for

func execer(c driver.Conn) driver.ExecerContext {
	if e, ok := c.(driver.ExecerContext); ok {
		return e
	}
	if e, ok := c.(driver.Execer); ok {
		return legacyExecer{e}
	}
	return nil
}

func queryer(c driver.Conn) driver.QueryerContext {
	if q, ok := c.(driver.QueryerContext); ok {
		return q
	}
	if q, ok := c.(driver.Queryer); ok {
		return legacyQueryer{q}
	}
	return nil
}

type legacyExecer struct{ driver.Execer }

func (e legacyExecer) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return e.Exec(query, values)
}

type legacyQueryer struct{ driver.Queryer }

func (q legacyQueryer) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return q.Query(query, values)
}

// database/sql prefers the modern interfaces. But in (*sql.Conn).Raw,
// applications ask for the legacy ones too. Where the driver has none of
// these, it skips the fast path.

func (c *conn) legacyExec(query string, args []driver.Value) (driver.Result, error) {
	e, ok := c.inner.(driver.Execer)
	if !ok {
		return nil, driver.ErrSkip
	}
	c.rec.Use(context.Background())
	c.rec.Enter(record.OpExec)
	defer c.rec.Leave()
	result, err := e.Exec(query, args)
	if !session.Everyday(query) || c.rec.Dirty() {
		c.ran(context.Background(), query, err)
	}
	if err != nil {
		refused(c.rec, err)
	}
	return result, err
}

func (c *conn) legacyQuery(query string, args []driver.Value) (driver.Rows, error) {
	q, ok := c.inner.(driver.Queryer)
	if !ok {
		return nil, driver.ErrSkip
	}
	c.rec.Use(context.Background())
	c.rec.Enter(record.OpQuery)
	defer c.rec.Leave()
	inner, err := q.Query(query, args)
	if !session.Everyday(query) || c.rec.Dirty() {
		c.ran(context.Background(), query, err)
	}
	if err != nil {
		refused(c.rec, err)
		return inner, err
	}
	return c.wrapRows(context.Background(), inner, query), nil
}

// Exec is [driver.Execer]'s.
func (c *execConn) Exec(query string, args []driver.Value) (driver.Result, error) {
	return c.legacyExec(query, args)
}

// Query is [driver.Queryer]'s.
func (c *queryConn) Query(query string, args []driver.Value) (driver.Rows, error) {
	return c.legacyQuery(query, args)
}

// Exec is [driver.Execer]'s.
func (c *execQueryConn) Exec(query string, args []driver.Value) (driver.Result, error) {
	return c.legacyExec(query, args)
}

// positional takes the names off arguments, for calls without a context.
func positional(ctx context.Context, named []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(named))
	for i, nv := range named {
		if nv.Name != "" {
			return nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		values[i] = nv.Value
	}
	return values, ended(ctx)
}

// ended is the error of a context that is done. As database/sql does, it asks
// for an error only then: some contexts have one before, or without an end.
func ended(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	default:
		return nil
	}
}
