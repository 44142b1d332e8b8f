package driverwrap

import (
	"database/sql/driver"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Unwrap returns the driver's own connection, for use in (*sql.Conn).Raw:
//
//	err := conn.Raw(func(dc any) error {
//		pg := driverwrap.Unwrap(dc).(*stdlib.Conn)
//		…
//	})
//
// It takes off wrappers of other packages too, if they have one of the usual
// methods: Unwrap() driver.Conn, Raw() driver.Conn, WrappedConn() any. What
// isn't wrapped is returned as it is.
func Unwrap(driverConn any) any {
	// A wrapper that returns itself must not hang the caller.
	for range maxWrappers {
		inner := unwrapOnce(driverConn)
		if inner == nil {
			break
		}
		driverConn = inner
	}
	return driverConn
}

const maxWrappers = 32

func unwrapOnce(driverConn any) any {
	var inner driver.Conn
	switch c := driverConn.(type) {
	case interface{ Unwrap() driver.Conn }:
		inner = c.Unwrap()
	case interface{ Raw() driver.Conn }:
		inner = c.Raw()
	case interface{ WrappedConn() any }:
		return c.WrappedConn()
	}
	if inner == nil {
		return nil // not an interface that holds nil
	}
	return inner
}

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
		c.rec.Closed()
		c.rec = rec
	}
}
