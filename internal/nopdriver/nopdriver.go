// Package nopdriver is a database/sql driver without a database, for tests
// and benchmarks: every statement succeeds at once, and every query returns
// as many rows as it says ("rows 3"; 1 without a number), each with the one
// column "n".
package nopdriver

import (
	"context"
	"database/sql/driver"
	"io"
	"strconv"
	"strings"
)

// Connector connects to nothing. The zero value is ready to use; set its
// fields before it is.
type Connector struct {
	// Before, if set, is called at the start of every call into a
	// connection, with the call's name ("query", "exec", "next", …) and SQL
	// text. Its error becomes the call's.
	Before func(ctx context.Context, call, query string) error
}

// Connect returns a connection that has every optional interface that its
// methods show.
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := c.before(ctx, "connect", ""); err != nil {
		return nil, err
	}
	return &conn{c}, nil
}

// Driver returns a driver that can open connections only through c.
func (c *Connector) Driver() driver.Driver { return nop{c} }

func (c *Connector) before(ctx context.Context, call, query string) error {
	if c.Before == nil {
		return nil
	}
	return c.Before(ctx, call, query)
}

type nop struct{ c *Connector }

func (d nop) Open(string) (driver.Conn, error) { return d.c.Connect(context.Background()) }

type conn struct{ c *Connector }

func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) Close() error                           { return c.c.before(context.Background(), "close", "") }
func (c *conn) IsValid() bool                          { return true }
func (c *conn) Ping(ctx context.Context) error         { return c.c.before(ctx, "ping", "") }
func (c *conn) ResetSession(ctx context.Context) error { return c.c.before(ctx, "reset", "") }

func (c *conn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	return tx{c.c}, c.c.before(ctx, "begin", "")
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return &stmt{c.c, query}, c.c.before(ctx, "prepare", query)
}

func (c *conn) ExecContext(ctx context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(0), c.c.before(ctx, "exec", query)
}

func (c *conn) QueryContext(ctx context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	return c.c.query(ctx, query)
}

func (c *Connector) query(ctx context.Context, query string) (driver.Rows, error) {
	if err := c.before(ctx, "query", query); err != nil {
		return nil, err
	}
	n := int64(1)
	if s, ok := strings.CutPrefix(query, "rows "); ok {
		var err error
		if n, err = strconv.ParseInt(s, 10, 64); err != nil {
			return nil, err
		}
	}
	return &rows{c: c, left: n}, nil
}

type tx struct{ c *Connector }

func (t tx) Commit() error   { return t.c.before(context.Background(), "commit", "") }
func (t tx) Rollback() error { return t.c.before(context.Background(), "rollback", "") }

type stmt struct {
	c     *Connector
	query string
}

func (s *stmt) Close() error  { return nil }
func (s *stmt) NumInput() int { return -1 }

func (s *stmt) Exec([]driver.Value) (driver.Result, error) {
	return driver.RowsAffected(0), s.c.before(context.Background(), "exec", s.query)
}

func (s *stmt) Query([]driver.Value) (driver.Rows, error) {
	return s.c.query(context.Background(), s.query)
}

var columns = []string{"n"}

type rows struct {
	c    *Connector
	left int64
}

func (r *rows) Columns() []string { return columns }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(dest []driver.Value) error {
	if err := r.c.before(context.Background(), "next", ""); err != nil {
		return err
	}
	if r.left == 0 {
		return io.EOF
	}
	dest[0] = r.left
	r.left--
	return nil
}
