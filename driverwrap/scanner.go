//go:build !go1.27

package driverwrap

import "database/sql/driver"

func withColumnScanner(r *rows) driver.Rows { return r }
