package driverwrap

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Unwrap returns the driver's own connection, for use in [sql.Conn.Raw]:
//
//	err := conn.Raw(func(dc any) error {
//		pg := driverwrap.Unwrap(dc).(*stdlib.Conn)
//		…
//	})
//
// It takes off wrappers of other packages too, if they have one of the usual
// methods: Unwrap() driver.Conn, Raw() driver.Conn, WrappedConn() any. What
// isn't wrapped is returned as it is. Transactions, statements and rows that
// come from such a connection can be unwrapped as well.
//
// Nobody sees what is done with the driver's own objects: to reports, the
// connection is idle. What may take longer than the threshold is better done
// in [Bare].
func Unwrap(v any) any {
	// A wrapper that returns itself must not hang the caller.
	for range maxWrappers {
		inner := unwrapOnce(v)
		if inner == nil {
			break
		}
		v = inner
	}
	return v
}

// Bare calls f with a Conn whose Raw gives the driver's own connection, as
// [Unwrap] does, for functions that take a Conn and look at what they find in
// it:
//
//	err := driverwrap.Bare(conn, func(bare *sql.Conn) error {
//		_, err := sqlite.Limit(bare, sqlite3.SQLITE_LIMIT_SQL_LENGTH, 1<<20)
//		return err
//	})
//
// To reports, f is one call of the driver: conn isn't idle meanwhile, however
// long it takes. What f opens on bare isn't recorded and must be given back
// before f returns. conn can't be used meanwhile, and bare not afterwards. If f
// closes bare, or the driver says driver.ErrBadConn to it, the connection is
// discarded and the error is a driver.ErrBadConn. Otherwise it is that of f.
func Bare(conn *sql.Conn, f func(bare *sql.Conn) error) error {
	return conn.Raw(func(driverConn any) error {
		inner, ok := Unwrap(driverConn).(driver.Conn)
		if !ok {
			return fmt.Errorf("driverwrap: %T unwraps to no driver.Conn", driverConn)
		}
		if own := ownConn(driverConn); own != nil {
			own.rec.Enter(record.OpRaw)
			defer own.rec.Leave()
		}
		db := sql.OpenDB(lender{inner})
		bare, err := db.Conn(context.Background())
		db.Close() // not the connection, which is in use
		if err != nil {
			return err
		}
		err = f(bare)
		if bare.Raw(func(any) error { return nil }) != nil {
			return errors.Join(err, driver.ErrBadConn)
		}
		return err
	})
}

// lender lends a connection that another DB has.
type lender struct{ conn driver.Conn }

func (l lender) Connect(context.Context) (driver.Conn, error) { return l.conn, nil }

func (lender) Driver() driver.Driver { return nilDriver{} }

const maxWrappers = 32

// unwrapOnce returns nil if there is nothing to take off.
func unwrapOnce(v any) any {
	switch w := v.(type) {
	case interface{ Unwrap() driver.Conn }:
		return w.Unwrap()
	case interface{ Raw() driver.Conn }:
		return w.Raw()
	case interface{ WrappedConn() any }:
		return w.WrappedConn()
	case interface{ Unwrap() driver.Tx }:
		return w.Unwrap()
	case interface{ Unwrap() driver.Stmt }:
		return w.Unwrap()
	case interface{ Unwrap() driver.Rows }:
		return w.Unwrap()
	}
	return nil
}

// Unwrap returns the driver's own transaction.
func (t *tx) Unwrap() driver.Tx { return t.inner }

// ownConn returns this package's connection if c is one, or has one inside.
func ownConn(c any) *conn {
	for range maxWrappers {
		if own, ok := c.(interface{ own() *conn }); ok {
			return own.own()
		}
		if c = unwrapOnce(c); c == nil {
			return nil
		}
	}
	return nil
}

func (c *conn) own() *conn { return c }

// moveTo records the connection elsewhere from now on, if anything is recorded
// there. Nothing is open on it yet.
func (c *conn) moveTo(rec *record.Conn) {
	if rec != nil {
		rec.SetServerID(c.rec.TakeServerID())
		c.rec.Closed()
		c.rec = rec
	}
}
