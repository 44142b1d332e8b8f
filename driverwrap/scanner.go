//go:build !go1.27

package driverwrap

import "database/sql/driver"

func (c *conn) newRows(inner driver.Rows) (*rows, driver.Rows) {
	r := c.plainRows(inner)
	return r, r
}
