package driverwrap_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
)

// diffDriverError is an error type of the driver.
type diffDriverError struct{ code int }

func (e *diffDriverError) Error() string { return fmt.Sprintf("driver error %d", e.code) }

// diffOddError can't be compared.
type diffOddError []string

func (e diffOddError) Error() string { return strings.Join(e, " ") }

// diffErrors are what the driver, and the application's own code inside of
// database/sql, answer. Traces tell them apart by identity.
var diffErrors = []error{
	driver.ErrBadConn,
	fmt.Errorf("wrapped: %w", driver.ErrBadConn),
	errors.Join(&diffDriverError{1}, driver.ErrBadConn),
	driver.ErrSkip,
	fmt.Errorf("wrapped: %w", driver.ErrSkip),
	driver.ErrRemoveArgument,
	&diffDriverError{2},
	fmt.Errorf("wrapped: %w", &diffDriverError{3}),
	diffOddError{"not", "comparable"},
	context.Canceled,
	fmt.Errorf("wrapped: %w", context.DeadlineExceeded),
	io.EOF,
	fmt.Errorf("wrapped: %w", io.EOF),
	io.ErrUnexpectedEOF,
	sql.ErrNoRows,
	sql.ErrTxDone,
	sql.ErrConnDone,
}

// diffError writes all that an application can learn of an error.
func diffError(err error) string {
	if err == nil {
		return "ok"
	}
	s := fmt.Sprintf("%T %q", err, err)
	for i, target := range append(diffErrors, context.DeadlineExceeded, errOdd) {
		comparable := reflect.TypeOf(target).Comparable()
		if comparable && err == target {
			s += fmt.Sprintf(" ==%d", i)
		} else if errors.Is(err, target) {
			s += fmt.Sprintf(" is%d", i)
		}
	}
	if own := (*diffDriverError)(nil); errors.As(err, &own) {
		s += fmt.Sprintf(" code %d", own.code)
	}
	return s
}

func (r *diffRun) logError(err error) { r.log("%s", diffError(err)) }

// diffQueries are the queries that programs make, by the first word; the
// rest are placeholders.
var diffQueries = []string{"empty", "numbers", "mixed", "sets", "cursor"}

var diffColumns = []fakedriver.Column{
	{Name: "a", ScanType: reflect.TypeFor[int64](), DatabaseTypeName: "BIGINT", Length: -1, Precision: 19, Scale: 2},
	{Name: "b", ScanType: reflect.TypeFor[string](), DatabaseTypeName: "TEXT", Length: 80, Nullable: true, NullableKnown: true, Precision: -1},
	{Name: "c", DatabaseTypeName: "", Length: 0, NullableKnown: true, Precision: 0},
}

// diffColumnsOf is the number of columns of a query's first result set.
func diffColumnsOf(query string) int {
	switch word, _, _ := strings.Cut(query, " "); word {
	case "numbers", "cursor":
		return 1
	case "mixed", "sets":
		return 3
	}
	return 0
}

// diffTables makes what a query answers.
func diffTables(f *fakedriver.Fake, ctx context.Context, query string) []fakedriver.Table {
	numbers := fakedriver.Table{Columns: diffColumns[:1], Rows: [][]driver.Value{{int64(1)}, {int64(2)}, {int64(3)}}}
	mixed := fakedriver.Table{Columns: diffColumns, Rows: [][]driver.Value{
		{int64(1), "text", []byte("bytes")},
		{nil, "5", time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC)},
		{2.5, true, diffCustom{"odd"}}, // not a value that a driver should give
	}}
	switch word, _, _ := strings.Cut(query, " "); word {
	case "numbers":
		return []fakedriver.Table{numbers}
	case "mixed":
		return []fakedriver.Table{mixed}
	case "sets":
		return []fakedriver.Table{mixed, {}, numbers}
	case "cursor":
		cursor := f.NewRows(ctx, "cursor", []fakedriver.Table{numbers})
		return []fakedriver.Table{{Columns: diffColumns[:1], Rows: [][]driver.Value{{cursor}, {nil}}}}
	}
	return nil
}

// diffAnswer is what the driver answers when nothing else is scripted.
func diffAnswer(f *fakedriver.Fake) func(*fakedriver.Call) fakedriver.Answer {
	return func(c *fakedriver.Call) (a fakedriver.Answer) {
		switch c.Method {
		case "Query", "QueryContext":
			ctx := c.Ctx
			if ctx == nil {
				ctx = context.Background()
			}
			a.Value = diffTables(f, ctx, c.Query)
		case "CheckNamedValue":
			switch v := c.Args[0].(fakedriver.Arg).Value.(type) {
			case diffCustom:
				a.Value = "checked " + v.s
			case diffRemove:
				a.Err = driver.ErrRemoveArgument
			case int, sql.Out:
				// Taken as they are.
			default:
				a.Err = driver.ErrSkip
			}
		case "ConvertValue":
			switch v := c.Args[0].(type) {
			case diffCustom:
				a.Value = "converted " + v.s
			case string:
				a.Value = strings.ToUpper(v)
			}
		}
		return a
	}
}

// Argument types that need help from the driver, or help themselves.
type (
	diffCustom struct{ s string }
	diffRemove struct{}
	diffValuer struct {
		value driver.Value
		err   error
		panic any
	}
)

func (diffRemove) String() string { return "remove" }

func (v diffValuer) String() string { return fmt.Sprintf("valuer(%v, %v)", v.value, v.err) }

func (v diffValuer) Value() (driver.Value, error) {
	if v.panic != nil {
		panic(v.panic)
	}
	return v.value, v.err
}

// diffArgs are the arguments that programs pass.
var diffArgs = [][]any{
	nil, nil, // nearly always right
	{1},
	{"text", int64(2)},
	{nil, true, 1.5, []byte("bytes"), time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC)},
	{sql.Named("name", "text")},
	{sql.Named("1st", 1)},
	{diffCustom{"custom"}},
	{sql.Named("name", diffCustom{"custom"}), 2},
	{1, diffRemove{}, 2},
	{diffRemove{}},
	{sql.Out{Dest: new(string)}},
	{uint64(1) << 63},
	{diffValuer{value: "text"}, diffValuer{value: diffCustom{"no value"}}},
	{diffValuer{value: diffCustom{"no value"}}},
	{diffValuer{err: diffErrors[6]}},
	{diffValuer{err: driver.ErrRemoveArgument}, 3},
	{diffValuer{err: driver.ErrBadConn}},
}
