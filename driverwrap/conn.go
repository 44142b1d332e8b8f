package driverwrap

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/session"
)

// conn is a wrapped connection without exec and query fast paths: for these,
// no neutral answer exists, as database/sql converts the arguments before it
// asks. What wrapConn returns has those that the driver has.
type conn struct {
	rec   *record.Conn
	spare spares

	// The optional interfaces of inner, or nil. Those of a query come first: they
	// are fetched from memory together.
	resetter driver.SessionResetter
	queryCtx driver.QueryerContext
	valid    driver.Validator
	execCtx  driver.ExecerContext
	checker  driver.NamedValueChecker
	preparer driver.ConnPrepareContext
	beginner driver.ConnBeginTx
	pinger   driver.Pinger

	inner driver.Conn
	from  driver.Connector // the bare one that made inner
}

// wrapConn returns inner itself if there is nothing to record.
func wrapConn(inner driver.Conn, rec *record.Conn, from driver.Connector) driver.Conn {
	if rec == nil {
		return inner
	}
	c := conn{inner: inner, rec: rec, from: from}
	c.pinger, _ = inner.(driver.Pinger)
	c.preparer, _ = inner.(driver.ConnPrepareContext)
	c.beginner, _ = inner.(driver.ConnBeginTx)
	c.resetter, _ = inner.(driver.SessionResetter)
	c.valid, _ = inner.(driver.Validator)
	c.checker, _ = inner.(driver.NamedValueChecker)
	c.execCtx, c.queryCtx = execer(inner), queryer(inner)
	switch {
	case c.execCtx != nil && c.queryCtx != nil:
		return &execQueryConn{queryConn{c}}
	case c.execCtx != nil:
		return &execConn{c}
	case c.queryCtx != nil:
		return &queryConn{c}
	}
	return &c
}

// Unwrap returns the driver's own connection. Nobody sees what is done with it.
func (c *conn) Unwrap() driver.Conn {
	c.rec.Unseen()
	return c.inner
}

// ResetSession is called when the connection leaves the pool. An error other
// than ErrBadConn doesn't keep it from doing so.
func (c *conn) ResetSession(ctx context.Context) error {
	c.rec.Acquired(ctx)
	if c.resetter == nil {
		return nil
	}
	c.rec.Enter(record.OpReset)
	defer c.rec.Leave()
	err := c.resetter.ResetSession(ctx)
	if err != nil && errors.Is(err, driver.ErrBadConn) {
		c.rec.Released() // database/sql closes it and takes another
	}
	return err
}

// IsValid is called when the connection re-enters the pool.
func (c *conn) IsValid() bool {
	if c.rec.Dirty() {
		c.askSession()
	}
	c.rec.Released()
	return c.valid == nil || c.valid.IsValid()
}

// Close closes the connection; everything on it is over.
func (c *conn) Close() error {
	defer c.rec.Closed()
	c.rec.Enter(record.OpClose)
	defer c.rec.Leave()
	return c.inner.Close()
}

// Ping answers nil for a driver that can't ping, as database/sql does.
func (c *conn) Ping(ctx context.Context) error {
	c.rec.Use(ctx)
	c.rec.Enter(record.OpPing)
	defer c.rec.Leave()
	if c.pinger == nil {
		return nil
	}
	return c.pinger.Ping(ctx)
}

// CheckNamedValue leaves the value to database/sql if the driver has no say.
func (c *conn) CheckNamedValue(nv *driver.NamedValue) error {
	if c.checker == nil {
		return driver.ErrSkip
	}
	return c.checker.CheckNamedValue(nv)
}

// Prepare is never called by database/sql, which prefers PrepareContext.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext does what database/sql does for a driver without it
// (ctxDriverPrepare).
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.rec.Use(ctx)
	c.rec.Enter(record.OpPrepare)
	defer c.rec.Leave()
	inner, err := c.prepare(ctx, query)
	if err != nil {
		refused(c.rec, err)
		return nil, err
	}
	return c.wrapStmt(ctx, inner, query), nil
}

func (c *conn) prepare(ctx context.Context, query string) (driver.Stmt, error) {
	if c.preparer != nil {
		return c.preparer.PrepareContext(ctx, query)
	}
	s, err := c.inner.Prepare(query)
	if err != nil {
		return nil, err
	}
	if err := ended(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// queryConn is a conn whose driver has a query fast path. It and those below
// start with the conn, so that calling their methods that are the conn's takes
// nothing more.
type queryConn struct{ conn }

// QueryContext runs a query.
func (c *queryConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.rec.Use(ctx)
	c.rec.Enter(record.OpQuery)
	defer c.rec.Leave()
	inner, err := c.queryCtx.QueryContext(ctx, query, args)
	if !session.Everyday(query) || c.rec.Dirty() {
		c.ran(ctx, query, err)
	}
	if err != nil {
		refused(c.rec, err)
		return inner, err
	}
	if inner == nil {
		return nil, nil
	}
	r, wrapped := c.newRows(inner) // wrapRows, to which a query would hand all its arguments
	c.rec.Rows(ctx, &r.Anchor, query)
	return wrapped, nil
}

// execConn is a conn whose driver has an exec fast path.
type execConn struct{ conn }

// ExecContext runs a statement that returns no rows.
func (c *execConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.exec(ctx, query, args)
}

// execQueryConn is a conn whose driver has both.
type execQueryConn struct{ queryConn }

// ExecContext runs a statement that returns no rows.
func (c *execQueryConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.exec(ctx, query, args)
}

func (c *conn) exec(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.rec.Use(ctx)
	c.rec.Enter(record.OpExec)
	defer c.rec.Leave()
	result, err := c.execCtx.ExecContext(ctx, query, args)
	if !session.Everyday(query) || c.rec.Dirty() {
		c.ran(ctx, query, err)
	}
	if err != nil {
		refused(c.rec, err)
	}
	return result, err
}
