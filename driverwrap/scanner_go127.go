//go:build go1.27

package driverwrap

import (
	"database/sql/driver"
	"io"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// scannerRows is rows whose driver scans columns itself: database/sql then no
// longer calls Next (Go 1.27), so the interface can't be claimed for others.
type scannerRows struct {
	rows
	scanner driver.RowsColumnScanner
}

func (c *conn) newRows(inner driver.Rows) (*rows, driver.Rows) {
	if s, ok := inner.(driver.RowsColumnScanner); ok {
		r := &scannerRows{rows{inner: inner}, s}
		return &r.rows, r
	}
	r := c.plainRows(inner)
	return r, r
}

func (r *scannerRows) NextRow() error {
	r.Enter(record.OpNext)
	defer r.Leave()
	err := r.scanner.NextRow()
	if err != nil && r.Dirty() {
		r.Failed(err)
	}
	if err != nil && err != io.EOF {
		refused(&r.Anchor, err)
	}
	return err
}

func (r *scannerRows) ScanColumn(ctx driver.ScanContext, index int, dest any) error {
	r.Enter(record.OpNext) // a large object may take its time
	defer r.Leave()
	return r.scanner.ScanColumn(ctx, index, dest)
}
