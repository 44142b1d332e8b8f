//go:build go1.27

package fakedriver

import (
	"database/sql"
	"database/sql/driver"
	"errors"
)

var rowsVariants = append(commonRowsVariants,
	rowsVariant{RowsColumnScanner, func(r *rows) driver.Rows {
		return struct {
			namedRows
			columnScanner
		}{r, columnScanner{r}}
	}},
	rowsVariant{RowsColumnScanner | RowsNextResultSet, func(r *rows) driver.Rows {
		return struct {
			namedRows
			resultSets
			columnScanner
		}{r, r, columnScanner{r}}
	}},
	rowsVariant{RowsColumnScanner | OnRows, func(r *rows) driver.Rows {
		return struct {
			*rows
			columnScanner
		}{r, columnScanner{r}}
	}},
)

// columnScanner adds what makes a driver.RowsColumnScanner.
type columnScanner struct{ of *rows }

func (s columnScanner) NextRow() error { return s.of.advance("NextRow") }

func (s columnScanner) ScanColumn(ctx driver.ScanContext, index int, dest any) error {
	a := s.of.call("ScanColumn", index)
	switch {
	case a.Err != nil:
		return a.Err
	case s.of.next == 0: // database/sql doesn't ask whether NextRow succeeded
		return errors.New("fakedriver: there is no row")
	}
	return sql.ConvertAssign(ctx, dest, s.of.tables[0].Rows[s.of.next-1][index])
}
