package driverwrap

import (
	"context"
	"database/sql/driver"
	"reflect"

	"github.com/dbleaks-go/dbleaks/internal/peek"
	"github.com/dbleaks-go/dbleaks/internal/session"
)

// This file tells the record what texts do to the session: that a transaction
// was begun by one, or a lock taken. Next to no query comes here.

// ran tells what a text did that the driver has run, or failed to. It needn't be
// called with an everyday text while the session is clean.
func (c *conn) ran(ctx context.Context, text string, err error) {
	if session.Plain(text) && !c.rec.Dirty() {
		return
	}
	switch err {
	case nil:
		c.rec.Ran(ctx, text, c.dialect())
	case driver.ErrSkip: // database/sql tries otherwise
	default:
		if c.rec.Dirty() {
			c.rec.Failed(text, c.survives(err))
		}
	}
}

// survives reports whether a transaction goes on after the error, as far as that
// can be told.
func (c *conn) survives(err error) bool {
	if a, ok := c.inner.(autoCommitter); ok {
		return !a.AutoCommit()
	}
	return session.Survives(err, c.dialect())
}

// autoCommitter is a connection that tells whether a transaction is under way,
// such as that of mattn/go-sqlite3.
type autoCommitter interface{ AutoCommit() bool }

// dialect is that of the driver, which other wrappers may hide behind theirs.
func (c *conn) dialect() session.Dialect {
	for v := any(c.inner); v != nil; v = unwrapOnce(v) {
		if d := session.DialectOf(packageOf(v)); d != session.Unknown {
			return d
		}
	}
	return session.DialectOf(c.rec.Driver())
}

func packageOf(v any) string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath()
}

// askSession asks the driver about the transaction that a connection seems to go
// back to the pool with: what the server said last counts for more than what
// the text of statements looked like.
func (c *conn) askSession() {
	if over, ok := c.overOnServer(); ok {
		c.rec.Settled(over)
	}
}

// overOnServer is what the server says is over. Drivers keep its word in a field
// of the connection, few give it away.
func (c *conn) overOnServer() (over session.Aspect, ok bool) {
	if a, ok := c.inner.(autoCommitter); ok {
		return when(a.AutoCommit(), session.Tx), true
	}
	switch session.DialectOf(packageOf(c.inner)) {
	case session.MySQL:
		const inTransaction, autocommit = 1, 2 // of the flags in each answer
		if f := peek.Field(c.inner, "status"); f.CanUint() {
			return when(f.Uint()&inTransaction == 0, session.Tx) | when(f.Uint()&autocommit != 0, session.Autocommit), true
		}
	case session.Postgres:
		f := peek.Field(c.inner, "txnStatus") // lib/pq
		if !f.CanUint() {
			f = peek.Field(c.inner, "conn", "pgConn", "txStatus") // pgx
		}
		if f.CanUint() {
			return when(f.Uint() == 'I', session.Tx), true
		}
	}
	return 0, false
}

func when(is bool, a session.Aspect) session.Aspect {
	if is {
		return a
	}
	return 0
}
