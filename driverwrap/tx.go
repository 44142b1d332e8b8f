package driverwrap

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Begin is never called by database/sql, which prefers BeginTx.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx starts a transaction.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.rec.Use(ctx, record.OpBegin)
	defer c.rec.Leave()
	inner, err := c.begin(ctx, opts)
	if err != nil {
		return nil, err
	}
	t := &tx{inner: inner, conn: c}
	c.rec.Tx(ctx, &t.Anchor)
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
	t, err := c.inner.Begin() //lint:ignore SA1019 what database/sql calls for a driver without ConnBeginTx
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
	defer t.End()
	t.conn.rec.Enter(record.OpCommit)
	defer t.conn.rec.Leave()
	return t.inner.Commit()
}

// Rollback keeps a promise of database/sql: after a rollback because the
// context ended, it keeps the connection only if the driver can reset and
// validate it. A conn always looks as if it could, so it says afterwards that
// it isn't valid where the driver lacks either.
func (t *tx) Rollback() error {
	defer t.End()
	c := t.conn
	if (c.resetter == nil || c.valid == nil) && contextEnded() {
		c.discard = true
	}
	c.rec.Enter(record.OpRollback)
	defer c.rec.Leave()
	return t.inner.Rollback()
}

// contextEnded reports whether database/sql is rolling back by itself, on the
// goroutine that waits for the transaction's context.
func contextEnded() bool {
	var pcs [12]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function == "database/sql.(*Tx).awaitDone" {
			return true
		}
		if !more {
			return false
		}
	}
}
