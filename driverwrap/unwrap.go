package driverwrap

import "database/sql/driver"

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

// recorded reports whether a connection is one of this package's, or has one
// inside.
func recorded(c any) bool {
	for range maxWrappers {
		if _, ok := c.(interface{ isRecorded() }); ok {
			return true
		}
		if c = unwrapOnce(c); c == nil {
			return false
		}
	}
	return false
}
