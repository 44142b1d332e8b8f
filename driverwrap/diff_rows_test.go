package driverwrap_test

import (
	"database/sql"
	"reflect"

	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
)

// doRows reads rows, or the one row of a QueryRow.
func (r *diffRun) doRows(op diffOp) {
	kind := "rows"
	if op.name == "rowScan" {
		kind = "row"
	}
	h := op.pick(r.ofKind(kind))
	switch {
	case h == nil && kind == "row":
		r.instead(op, "queryRow")
		return
	case h == nil:
		r.instead(op, "query")
		return
	}
	r.title("%s", h.name)
	r.op.ctx = h.ctx
	r.op.steady = op.name == "rowScan" || op.name == "all"
	// A panic inside of Scan keeps the rows locked for ever.
	r.arm(op, op.name == "next" || op.name == "nextSet" || op.name == "types")
	switch op.name {
	case "next":
		r.log("next: %v", h.rows.Next())
	case "scan":
		r.scan(h, op.extra)
	case "nextSet":
		r.log("next result set: %v", h.rows.NextResultSet())
	case "types":
		r.columnTypes(h.rows)
	case "rowsErr":
		r.logError(h.rows.Err())
	case "rowsClose":
		r.log("%s", r.finish(h))
	case "rowScan":
		h.over = true
		kind := op.extra % numDests
		if kind == destScannerPanic {
			kind = destScannerError // Row.Scan would wait for itself
		}
		dest := r.dest(kind, h.columns)
		r.logError(h.row.Scan(dest...))
		r.logDest(dest)
	case "all":
		r.all(h.rows)
	}
}

// all reads everything that is left.
func (r *diffRun) all(rows *sql.Rows) {
	for {
		for rows.Next() {
			r.scanAny(rows)
		}
		if !rows.NextResultSet() {
			break
		}
	}
	r.logError(rows.Err())
}

func (r *diffRun) scanAny(rows *sql.Rows) {
	columns, err := rows.Columns()
	if err != nil {
		r.logError(err)
		return
	}
	dest := r.dest(destAny, len(columns))
	r.logError(rows.Scan(dest...))
	r.logDest(dest)
}

func (r *diffRun) columnTypes(rows *sql.Rows) {
	types, err := rows.ColumnTypes()
	r.logError(err)
	for _, c := range types {
		scanType := c.ScanType()
		length, hasLength := c.Length()
		nullable, hasNullable := c.Nullable()
		precision, scale, hasPrecision := c.DecimalSize()
		r.log("column %q: %v %q, length %v %v, nullable %v %v, precision %v %v %v", c.Name(), scanType,
			c.DatabaseTypeName(), length, hasLength, nullable, hasNullable, precision, scale, hasPrecision)
	}
}

// What a row is scanned into.
const (
	destAny = iota
	destAny2
	destString
	destInt
	destNullString
	destRaw
	destScanner
	destScannerError
	destScannerPanic
	destScannerCancel
	destCursor
	destTooMany
	destNil
	numDests
)

// scan scans a row of h. Where the Scanner panics, database/sql keeps the
// rows locked for ever: nothing must wait for them then.
func (r *diffRun) scan(h *diffHandle, kind byte) {
	columns, err := h.rows.Columns()
	if err != nil {
		r.logError(err)
		columns = make([]string, h.columns)
	}
	unread := kind >= 128
	kind %= numDests
	unwatched := h.session() == nil && h.ctx.Done() == nil
	if kind == destScannerPanic && !unwatched {
		kind = destScannerError
	}
	dest := r.dest(kind, len(columns))
	if kind == destScannerPanic {
		h.over, h.kind = true, "lost"
	}
	r.logError(h.rows.Scan(dest...))
	if !unread {
		r.logDest(dest)
	}
	if kind == destRaw {
		// The rows are locked until then, and can't be closed.
		r.log("next: %v", h.rows.Next())
	}
}

// dest makes n destinations of a kind.
func (r *diffRun) dest(kind byte, n int) []any {
	kind %= numDests
	if kind == destTooMany {
		n++
	}
	dest := make([]any, n)
	for i := range dest {
		switch kind {
		case destString:
			dest[i] = new(string)
		case destInt:
			dest[i] = new(int)
		case destNullString:
			dest[i] = new(sql.NullString)
		case destRaw:
			dest[i] = new(sql.RawBytes)
		case destScanner, destScannerError, destScannerPanic, destScannerCancel:
			dest[i] = &diffScanner{run: r, kind: kind}
		case destCursor:
			dest[i] = new(sql.Rows)
		case destNil:
			// A nil destination is an error.
		default:
			dest[i] = new(any)
		}
	}
	return dest
}

// logDest writes down what was scanned.
func (r *diffRun) logDest(dest []any) {
	for i, d := range dest {
		switch d := d.(type) {
		case nil, *diffScanner:
		case *sql.Rows:
			if !reflect.ValueOf(d).Elem().IsZero() {
				r.all(d)
			}
		case *sql.NullString:
			r.log("%d: %+v", i, *d)
		case *sql.RawBytes:
			r.log("%d: raw %q", i, *d)
		default:
			r.log("%d: %s", i, fakedriver.Format(reflect.ValueOf(d).Elem().Interface()))
		}
	}
}

// diffScanner is an application's own type.
type diffScanner struct {
	run  *diffRun
	kind byte
}

func (s *diffScanner) Scan(src any) error {
	s.run.log("scanner got %s", fakedriver.Format(src))
	switch s.kind {
	case destScannerError:
		return diffErrors[6]
	case destScannerPanic:
		panic("scanner panic")
	case destScannerCancel:
		if c := s.run.op.ctx; c != nil && c.cancel != nil && !s.run.op.steady {
			c.cancel()
		}
	}
	return nil
}
