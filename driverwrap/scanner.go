//go:build !go1.27

package driverwrap

import "database/sql/driver"

func newRows(inner driver.Rows) (*rows, driver.Rows) {
	r := &rows{inner: inner}
	return r, r
}
