package fakedriver

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"reflect"
)

// Table is one result set.
type Table struct {
	Columns []Column
	Rows    [][]driver.Value
}

// Column describes a column of a result set.
type Column struct {
	Name             string
	ScanType         reflect.Type
	DatabaseTypeName string
	Length           int64 // unknown if negative
	Nullable         bool
	NullableKnown    bool
	Precision, Scale int64 // unknown if Precision is negative
}

// rows implements everything that rows can but for what only Go 1.27 knows;
// NewRows hides what was not asked for.
type rows struct {
	fake   *Fake
	name   string
	query  string
	ctx    context.Context
	tables []Table // the present one first
	next   int     // row of the present one
}

// namedRows is what all variants of rows have.
type namedRows interface {
	driver.Rows
	fmt.Stringer
}

// String is the name of the rows in traces; an application may print rows
// that it finds in a column.
func (r *rows) String() string { return r.name }

// NewRows makes rows, also for use as a value: a cursor. The context is what
// they wait for when a script tells them to block.
func (f *Fake) NewRows(ctx context.Context, query string, tables []Table) driver.Rows {
	if len(tables) == 0 {
		tables = make([]Table, 1)
	}
	r := &rows{fake: f, name: f.name("rows"), query: query, ctx: ctx, tables: tables}
	return pick(rowsVariants, f.Has&(OnRows|RowsColumnScanner), r)
}

// rows makes the rows that answer a query.
func (f *Fake) rows(ctx context.Context, query string, a Answer) (driver.Rows, error) {
	if a.Err != nil || a.Nil {
		return nil, a.Err
	}
	return f.NewRows(ctx, query, or[[]Table](a, nil)), nil
}

func (r *rows) call(method string, args ...any) Answer {
	return r.fake.call(Call{Object: r.name, Method: method, Ctx: r.ctx, Query: r.query, Args: args})
}

func (r *rows) Columns() []string {
	r.call("Columns")
	var names []string
	for _, c := range r.tables[0].Columns {
		names = append(names, c.Name)
	}
	return names
}

func (r *rows) Close() error {
	defer r.fake.closed(r.name)
	return r.call("Close").Err
}

func (r *rows) Next(dest []driver.Value) error {
	if err := r.advance("Next"); err != nil {
		return err
	}
	copy(dest, r.tables[0].Rows[r.next-1])
	return nil
}

// advance moves to the next row, which is then r.next-1.
func (r *rows) advance(method string) error {
	if a := r.call(method); a.Err != nil {
		return a.Err
	}
	if r.next >= len(r.tables[0].Rows) {
		return io.EOF
	}
	r.next++
	return nil
}

func (r *rows) HasNextResultSet() bool {
	return or(r.call("HasNextResultSet"), len(r.tables) > 1)
}

func (r *rows) NextResultSet() error {
	a := r.call("NextResultSet")
	switch {
	case a.Err != nil:
		return a.Err
	case len(r.tables) == 1:
		return io.EOF
	}
	r.tables, r.next = r.tables[1:], 0
	return nil
}

func (r *rows) column(method string, index int) Column {
	r.call(method, index)
	return r.tables[0].Columns[index]
}

func (r *rows) ColumnTypeScanType(index int) reflect.Type {
	return r.column("ColumnTypeScanType", index).ScanType
}

func (r *rows) ColumnTypeDatabaseTypeName(index int) string {
	return r.column("ColumnTypeDatabaseTypeName", index).DatabaseTypeName
}

func (r *rows) ColumnTypeLength(index int) (length int64, ok bool) {
	c := r.column("ColumnTypeLength", index)
	return c.Length, c.Length >= 0
}

func (r *rows) ColumnTypeNullable(index int) (nullable, ok bool) {
	c := r.column("ColumnTypeNullable", index)
	return c.Nullable, c.NullableKnown
}

func (r *rows) ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool) {
	c := r.column("ColumnTypePrecisionScale", index)
	return c.Precision, c.Scale, c.Precision >= 0
}
