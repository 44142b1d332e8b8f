package main

import (
	"context"
	"database/sql/driver"
)

// passThrough is the thinnest wrapper that is one: it forwards what the
// driver without a database has, and does nothing else. Like any wrapper, it
// has an object of its own for each connection, statement, transaction and
// result.
type passThrough struct{ driver.Connector }

func (p passThrough) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &passConn{c, c.(optional)}, nil
}

// optional is what the driver's connections have beyond driver.Conn.
type optional interface {
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// passConn forwards by embedding what returns nothing to wrap.
type passConn struct {
	driver.Conn
	optional
}

func (c *passConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	t, err := c.optional.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &passTx{t}, nil
}

func (c *passConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.optional.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &passStmt{s}, nil
}

func (c *passConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := c.optional.QueryContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return &passRows{r}, nil
}

type passTx struct{ driver.Tx }

type passStmt struct{ driver.Stmt }

type passRows struct{ driver.Rows }
