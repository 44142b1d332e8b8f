//go:build go1.27

package fakedriver_test

import (
	"database/sql/driver"

	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
)

func init() { interfaces[fakedriver.RowsColumnScanner] = is[driver.RowsColumnScanner] }
