package fakedriver

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
)

// conn implements everything that a connection can; newConn hides what was
// not asked for.
type conn struct {
	fake *Fake
	name string
	self driver.Conn // as database/sql sees it
}

func (f *Fake) newConn() driver.Conn {
	c := &conn{fake: f, name: f.name("conn")}
	c.self = pick(connVariants, f.Has&(OnConn|Unhashable), c)
	return c.self
}

// connWithTx is what all variants of a connection have: the mandatory
// methods, those of a transaction, see [TxIsConn], and one of its own.
type connWithTx interface {
	driver.Conn
	driver.Tx
	Name() string
}

// Name is the connection's name in traces.
func (c *conn) Name() string { return c.name }

func (c *conn) call(ctx context.Context, method, query string, args ...any) Answer {
	return c.fake.call(Call{Object: c.name, Method: method, Ctx: ctx, Query: query, Args: args})
}

func (c *conn) Close() error {
	defer c.fake.closed(c.name)
	return c.call(noContext, "Close", "").Err
}

func (c *conn) Ping(ctx context.Context) error { return c.call(ctx, "Ping", "").Err }

func (c *conn) ResetSession(ctx context.Context) error { return c.call(ctx, "ResetSession", "").Err }

func (c *conn) IsValid() bool { return or(c.call(noContext, "IsValid", ""), true) }

func (c *conn) CheckNamedValue(nv *driver.NamedValue) error {
	return check(nv, c.call(noContext, "CheckNamedValue", "", argOf(*nv)))
}

// check does what a NamedValueChecker answers.
func check(nv *driver.NamedValue, a Answer) error {
	if a.Err == nil && a.Value != nil {
		nv.Value = a.Value
	}
	return a.Err
}

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.prepare(query, c.call(noContext, "Prepare", query, query))
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return c.prepare(query, c.call(ctx, "PrepareContext", query, query))
}

func (c *conn) prepare(query string, a Answer) (driver.Stmt, error) {
	if a.Err != nil || a.Nil {
		return nil, a.Err
	}
	return c.fake.newStmt(query), nil
}

func (c *conn) Begin() (driver.Tx, error) { return c.begin(c.call(noContext, "Begin", "")) }

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.begin(c.call(ctx, "BeginTx", "", int(opts.Isolation), opts.ReadOnly))
}

func (c *conn) begin(a Answer) (driver.Tx, error) {
	if a.Err != nil || a.Nil {
		return nil, a.Err
	}
	if c.fake.Has.Has(TxIsConn) {
		return c.self.(driver.Tx), nil
	}
	return c.fake.newTx(), nil
}

// Commit is that of a transaction which is the connection itself.
func (c *conn) Commit() error { return c.call(noContext, "Commit", "").Err }

// Rollback is as Commit.
func (c *conn) Rollback() error { return c.call(noContext, "Rollback", "").Err }

func (c *conn) Exec(query string, args []driver.Value) (driver.Result, error) {
	return c.fake.result(c.call(noContext, "Exec", query, query, values(args)))
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.fake.result(c.call(ctx, "ExecContext", query, query, namedValues(args)))
}

func (c *conn) Query(query string, args []driver.Value) (driver.Rows, error) {
	return c.fake.rows(noContext, query, c.call(noContext, "Query", query, query, values(args)))
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.fake.rows(ctx, query, c.call(ctx, "QueryContext", query, query, namedValues(args)))
}

// Args are the arguments of a query.
type Args []Arg

// Arg is one of them; the ordinal is 0 for methods that take no name.
type Arg driver.NamedValue

func argOf(nv driver.NamedValue) Arg { return Arg(nv) }

func namedValues(named []driver.NamedValue) Args {
	args := make(Args, len(named))
	for i, nv := range named {
		args[i] = Arg(nv)
	}
	return args
}

func values(vs []driver.Value) Args {
	args := make(Args, len(vs))
	for i, v := range vs {
		args[i].Value = v
	}
	return args
}

// String lists the arguments, as traces write them.
func (as Args) String() string {
	texts := make([]string, len(as))
	for i, a := range as {
		texts[i] = a.String()
	}
	return "[" + strings.Join(texts, " ") + "]"
}

// String is "$1=…" or, with a name, ":name/1=…".
func (a Arg) String() string {
	switch {
	case a.Name != "":
		return fmt.Sprintf(":%s/%d=%s", a.Name, a.Ordinal, Format(a.Value))
	case a.Ordinal != 0:
		return fmt.Sprintf("$%d=%s", a.Ordinal, Format(a.Value))
	}
	return Format(a.Value)
}
