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
	for range 32 {
		var inner any
		switch c := driverConn.(type) {
		case interface{ Unwrap() driver.Conn }:
			inner = c.Unwrap()
		case interface{ Raw() driver.Conn }:
			inner = c.Raw()
		case interface{ WrappedConn() any }:
			inner = c.WrappedConn()
		}
		if inner == nil {
			return driverConn
		}
		driverConn = inner
	}
	return driverConn
}
