package driverwrap

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/session"
)

// Begin is never called by database/sql, which prefers BeginTx.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx starts a transaction.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.rec.Use(ctx)
	c.rec.Enter(record.OpBegin)
	defer c.rec.Leave()
	inner, err := c.begin(ctx, opts)
	if err != nil {
		refused(c.rec, err)
		return nil, err
	}
	c.rec.Settled(session.Tx | session.Tables) // what was begun by text is in it, or over
	t := c.newTx(inner)
	c.rec.Tx(ctx, &t.Anchor)
	if c.resetter == nil || c.valid == nil {
		return discardingTx{t}, nil
	}
	return t, nil
}

// begin does what database/sql does for a driver without ConnBeginTx
// (ctxDriverBegin), in the same words.
func (c *conn) begin(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	switch {
	case c.beginner != nil:
		return c.beginner.BeginTx(ctx, opts)
	case sql.IsolationLevel(opts.Isolation) != sql.LevelDefault:
		return nil, errors.New("sql: driver does not support non-default isolation level")
	case opts.ReadOnly:
		return nil, errors.New("sql: driver does not support read-only transactions")
	}
	if ctx.Done() == nil {
		return c.inner.Begin() //lint:ignore SA1019 what database/sql calls for a driver without ConnBeginTx
	}
	t, err := c.inner.Begin() //lint:ignore SA1019 likewise
	if err != nil {
		return nil, err
	}
	if err := ended(ctx); err != nil {
		t.Rollback()
		return nil, err
	}
	return t, nil
}

// tx is a wrapped transaction.
type tx struct {
	record.Anchor
	inner driver.Tx
	conn  *conn
}

func (t *tx) Commit() error {
	t.Enter(record.OpCommit)
	defer t.Closed()
	err := t.inner.Commit()
	if err != nil {
		refused(&t.Anchor, err) // SQLite: while others read
	}
	t.done()
	return err
}

func (t *tx) Rollback() error {
	t.Enter(record.OpRollback)
	defer t.Closed()
	err := t.inner.Rollback()
	t.done()
	return err
}

func (t *tx) done() {
	if t.Sole() {
		t.inner, t.conn.spare.tx = nil, t
	}
}

// discardingTx keeps a promise of database/sql: after a rollback because the
// context ended, it keeps the connection, and a Conn that the transaction was
// begun on, only if the driver can reset and validate it. Wrapped, each looks
// as if it could; where the driver lacks either, the answer says otherwise.
type discardingTx struct{ *tx }

func (t discardingTx) Rollback() error {
	if contextEnded() {
		return discarded{t.tx.Rollback()}
	}
	return t.tx.Rollback()
}

// discarded is the error of a rollback whose connection is to be discarded.
// It is a driver.ErrBadConn to whoever releases the connection. But to
// (*Tx).rollback it is only if the driver says so too: it would leave the
// statements of the transaction open. Nobody else sees it.
type discarded struct{ err error }

func (d discarded) Error() string {
	return fmt.Sprintf("driverwrap: rolled back as the context ended (error: %v), connection discarded", d.err)
}

func (d discarded) Unwrap() error { return d.err }

func (d discarded) Is(target error) bool {
	return target == driver.ErrBadConn && !calledBy("database/sql.(*Tx).rollback", func(function string) bool {
		return strings.HasPrefix(function, "errors.")
	})
}

// contextEnded reports whether database/sql is rolling back by itself, on the
// goroutine that waits for the transaction's context.
func contextEnded() bool {
	return calledBy("database/sql.(*Tx).awaitDone", func(string) bool { return true })
}

// calledBy reports whether the caller's caller, or one of its callers if only
// functions to skip are in between, is function.
func calledBy(function string, skip func(function string) bool) bool {
	var pcs [12]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		switch {
		case f.Function == function:
			return true
		case !more || !skip(f.Function):
			return false
		}
	}
}
