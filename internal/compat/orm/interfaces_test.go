package orm

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// optional are the optional interfaces of a driver's objects that database/sql
// asks for. It asks nothing of transactions and results; these are there for
// what applications ask.
var optional = map[string][]iface{
	"driver":    {{"DriverContext", has[driver.DriverContext], true}},
	"connector": {{"io.Closer", has[io.Closer], false}},
	"connection": {
		{"Pinger", has[driver.Pinger], false},
		{"ConnPrepareContext", has[driver.ConnPrepareContext], false},
		{"ConnBeginTx", has[driver.ConnBeginTx], false},
		{"SessionResetter", has[driver.SessionResetter], false},
		{"Validator", has[driver.Validator], false},
		{"NamedValueChecker", has[driver.NamedValueChecker], false},
		//lint:ignore SA1019 drivers still have it
		{"ExecerContext or Execer", either(has[driver.ExecerContext], has[driver.Execer]), true},
		//lint:ignore SA1019 drivers still have it
		{"QueryerContext or Queryer", either(has[driver.QueryerContext], has[driver.Queryer]), true},
	},
	"statement": {
		{"StmtExecContext", has[driver.StmtExecContext], false},
		{"StmtQueryContext", has[driver.StmtQueryContext], false},
		{"NamedValueChecker", has[driver.NamedValueChecker], false},
		//lint:ignore SA1019 drivers still have it
		{"ColumnConverter", has[driver.ColumnConverter], true},
	},
	"rows": {
		{"RowsNextResultSet", has[driver.RowsNextResultSet], false},
		{"RowsColumnTypeScanType", has[driver.RowsColumnTypeScanType], false},
		{"RowsColumnTypeDatabaseTypeName", has[driver.RowsColumnTypeDatabaseTypeName], false},
		{"RowsColumnTypeLength", has[driver.RowsColumnTypeLength], false},
		{"RowsColumnTypeNullable", has[driver.RowsColumnTypeNullable], false},
		{"RowsColumnTypePrecisionScale", has[driver.RowsColumnTypePrecisionScale], false},
	},
}

type iface struct {
	name string
	of   func(any) bool
	// exact tells that no answer of a wrapper is the same as not to have it.
	exact bool
}

func has[T any](v any) bool { _, ok := v.(T); return ok }

func either(a, b func(any) bool) func(any) bool {
	return func(v any) bool { return a(v) || b(v) }
}

// A wrapped driver's objects have the interfaces of the bare ones, and no more
// than are harmless. Unwrap gives the bare ones; the driver and results are
// bare.
func TestInterfaces(t *testing.T) {
	for _, b := range []*backend{mysqlBackend, pgxBackend, pqBackend, sqlite3Backend, mssqlBackend} {
		t.Run(b.driver, func(t *testing.T) {
			watch, err := tracker.New()
			if err != nil {
				t.Fatal(err)
			}
			c, err := connector(b.driver, b.source(t))
			if err != nil {
				t.Fatal(err)
			}
			w := driverwrap.WrapConnector(c, driverwrap.WithTracker(watch))
			bare, wrapped := objects(t, c), objects(t, w)
			for name, set := range optional {
				for _, i := range set {
					is, want := i.of(wrapped[name]), i.of(bare[name])
					if want && !is || i.exact && is && !want {
						t.Errorf("%s: %s: %t; bare: %t", name, i.name, is, want)
					}
				}
			}
			for name, object := range bare {
				got := wrapped[name]
				switch name {
				case "connector":
					continue // the application has it
				case "connection", "statement", "rows", "transaction":
					got = driverwrap.Unwrap(got)
				}
				if is, want := reflect.TypeOf(got), reflect.TypeOf(object); is != want {
					t.Errorf("the %s is %v, not %v", name, is, want)
				}
			}
			if w.Driver() != c.Driver() {
				t.Errorf("the driver is %T, not %T", w.Driver(), c.Driver())
			}
			watch.AssertNoLeaks(t)
		})
	}
}

// connector is the bare driver's connector, as sql.Open would use it.
func connector(name, dsn string) (driver.Connector, error) {
	db, err := sql.Open(name, dsn)
	if err != nil {
		return nil, err
	}
	d := db.Driver()
	if err := db.Close(); err != nil {
		return nil, err
	}
	if dc, ok := d.(driver.DriverContext); ok {
		return dc.OpenConnector(dsn)
	}
	return openConnector{d, dsn}, nil
}

// openConnector is database/sql's dsnConnector, which it doesn't export.
type openConnector struct {
	driver driver.Driver
	dsn    string
}

func (c openConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c openConnector) Driver() driver.Driver                        { return c.driver }

// objects are one of each kind, which have been given back.
func objects(t *testing.T, c driver.Connector) map[string]any {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	conn, err := c.Connect(t.Context())
	must(err)
	stmt, err := conn.(driver.ConnPrepareContext).PrepareContext(t.Context(), "SELECT 1")
	must(err)
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(t.Context(), nil)
	must(err)
	must(rows.Close())
	result, err := stmt.(driver.StmtExecContext).ExecContext(t.Context(), nil)
	must(err)
	tx, err := conn.(driver.ConnBeginTx).BeginTx(t.Context(), driver.TxOptions{})
	must(err)
	must(errors.Join(stmt.Close(), tx.Rollback(), conn.Close()))
	return map[string]any{
		"driver": c.Driver(), "connector": c, "connection": conn,
		"statement": stmt, "rows": rows, "result": result, "transaction": tx,
	}
}
