//go:build go1.27

package driverwrap_test

// scannerMutations are defects of what Go 1.27 asks of rows.
var scannerMutations = []mutation{
	{"RowsColumnScanner lost", "scanner_go127.go", `inner.(driver.RowsColumnScanner); ok {`, `inner.(driver.RowsColumnScanner); ok && s == nil {`},
	{"a row of a RowsColumnScanner skipped", "scanner_go127.go", `err := r.scanner.NextRow()`, `r.scanner.NextRow()
	err := r.scanner.NextRow()`},
	{"error of ScanColumn swallowed", "scanner_go127.go", `return r.scanner.ScanColumn(ctx, index, dest)`, `r.scanner.ScanColumn(ctx, index, dest)
	return nil`},
	{"ScanContext lost", "scanner_go127.go", `return r.scanner.ScanColumn(ctx, index, dest)`, `return r.scanner.ScanColumn(driver.ScanContext{}, index, dest)`},
	{"wrong column scanned", "scanner_go127.go", `return r.scanner.ScanColumn(ctx, index, dest)`, `return r.scanner.ScanColumn(ctx, 0, dest)`},
	{"RowsColumnScanner claimed by all", "scanner_go127.go", `	r := c.plainRows(inner)
	return r, r
}`, `	r := &scannerRows{rows{inner: inner}, &nextScanner{inner, nil}}
	return &r.rows, r
}

// nextScanner scans columns by Next.
type nextScanner struct {
	driver.Rows
	row []driver.Value
}

func (s *nextScanner) NextRow() error {
	s.row = make([]driver.Value, len(s.Columns()))
	return s.Next(s.row)
}

func (s *nextScanner) ScanColumn(ctx driver.ScanContext, index int, dest any) error {
	if d, ok := dest.(*any); ok {
		*d = s.row[index]
	}
	return nil
}`},
	{"error of NextRow swallowed", "scanner_go127.go", `err := r.scanner.NextRow()`, `r.scanner.NextRow()
	var err error`},
	{"error of ScanColumn replaced", "scanner_go127.go", `return r.scanner.ScanColumn(ctx, index, dest)`, `if err := r.scanner.ScanColumn(ctx, index, dest); err != nil {
		return driver.ErrBadConn
	}
	return nil`},
	{"column scanned twice", "scanner_go127.go", `return r.scanner.ScanColumn(ctx, index, dest)`, `r.scanner.ScanColumn(ctx, index, dest)
	return r.scanner.ScanColumn(ctx, index, dest)`},
}
