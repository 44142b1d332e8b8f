//go:build go1.27

package fakedriver

import (
	"database/sql"
	"database/sql/driver"
)

var rowsVariants = append(commonRowsVariants,
	rowsVariant{RowsColumnScanner, func(r *rows) driver.Rows {
		return struct {
			driver.Rows
			columnScanner
		}{r, columnScanner{r}}
	}},
	rowsVariant{RowsColumnScanner | RowsNextResultSet, func(r *rows) driver.Rows {
		return struct {
			driver.Rows
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
	if a.Err != nil {
		return a.Err
	}
	return sql.ConvertAssign(ctx, dest, s.of.tables[0].Rows[s.of.next-1][index])
}
