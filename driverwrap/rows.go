package driverwrap

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// rows is a wrapped result. Only database/sql's Rows refers to it, so the
// garbage collector's word on it is its word on the application's handle: a
// record must not keep it alive.
type rows struct {
	record.Anchor
	inner driver.Rows
	conn  *conn // nil if it may not use the object again
}

func (c *conn) wrapRows(ctx context.Context, inner driver.Rows, query string) driver.Rows {
	if inner == nil {
		return nil // a fault of the driver's, for which database/sql has words
	}
	r, wrapped := c.newRows(inner)
	c.rec.Rows(ctx, &r.Anchor, query)
	return wrapped
}

// Unwrap returns the driver's own rows.
func (r *rows) Unwrap() driver.Rows { return r.inner }

func (r *rows) Columns() []string { return r.inner.Columns() }

func (r *rows) Close() error {
	r.Enter(record.OpClose)
	defer r.Closed()
	err := r.inner.Close()
	if r.conn != nil && r.Sole() {
		r.inner, r.conn.spare.rows = nil, r
	}
	return err
}

// Next doesn't defer, as it is called for every row: after a driver's panic it
// looks as if the call went on, until the next one, the rows' Close.
func (r *rows) Next(dest []driver.Value) error {
	r.Enter(record.OpNext)
	err := r.inner.Next(dest)
	r.Leave()
	if err != nil && r.Dirty() {
		r.Failed(err)
	}
	if err != nil && err != io.EOF {
		refused(&r.Anchor, err) // some drivers don't ask the database before
	}
	return err
}

// The neutral answers below are what database/sql assumes of a driver without
// the interface.

func (r *rows) HasNextResultSet() bool {
	if n, ok := r.inner.(driver.RowsNextResultSet); ok {
		return n.HasNextResultSet()
	}
	return false
}

func (r *rows) NextResultSet() (err error) {
	n, ok := r.inner.(driver.RowsNextResultSet)
	if !ok {
		return io.EOF
	}
	r.Enter(record.OpNext)
	defer r.Leave()
	defer func() {
		if err != nil && r.Dirty() {
			r.Failed(err)
		}
	}()
	return n.NextResultSet()
}

func (r *rows) ColumnTypeScanType(index int) reflect.Type {
	if t, ok := r.inner.(driver.RowsColumnTypeScanType); ok {
		return t.ColumnTypeScanType(index)
	}
	return reflect.TypeFor[any]()
}

func (r *rows) ColumnTypeDatabaseTypeName(index int) string {
	if t, ok := r.inner.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return t.ColumnTypeDatabaseTypeName(index)
	}
	return ""
}

func (r *rows) ColumnTypeLength(index int) (length int64, ok bool) {
	if t, ok := r.inner.(driver.RowsColumnTypeLength); ok {
		return t.ColumnTypeLength(index)
	}
	return 0, false
}

func (r *rows) ColumnTypeNullable(index int) (nullable, ok bool) {
	if t, ok := r.inner.(driver.RowsColumnTypeNullable); ok {
		return t.ColumnTypeNullable(index)
	}
	return false, false
}

func (r *rows) ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool) {
	if t, ok := r.inner.(driver.RowsColumnTypePrecisionScale); ok {
		return t.ColumnTypePrecisionScale(index)
	}
	return 0, 0, false
}
