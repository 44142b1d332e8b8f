package fakedriver_test

//lint:file-ignore SA1019 the legacy interfaces are on offer too

import (
	"context"
	"database/sql/driver"
	"io"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
)

// interfaces says how to see each member of a Set.
var interfaces = map[fakedriver.Set]func(any) bool{
	fakedriver.DriverContext:   is[driver.DriverContext],
	fakedriver.ConnectorCloser: is[io.Closer],

	fakedriver.Pinger:                is[driver.Pinger],
	fakedriver.ConnPrepareContext:    is[driver.ConnPrepareContext],
	fakedriver.ConnBeginTx:           is[driver.ConnBeginTx],
	fakedriver.ExecerContext:         is[driver.ExecerContext],
	fakedriver.Execer:                is[driver.Execer],
	fakedriver.QueryerContext:        is[driver.QueryerContext],
	fakedriver.Queryer:               is[driver.Queryer],
	fakedriver.ConnNamedValueChecker: is[driver.NamedValueChecker],
	fakedriver.SessionResetter:       is[driver.SessionResetter],
	fakedriver.Validator:             is[driver.Validator],

	fakedriver.StmtNamedValueChecker: is[driver.NamedValueChecker],
	fakedriver.ColumnConverter:       is[driver.ColumnConverter],
	fakedriver.StmtExecContext:       is[driver.StmtExecContext],
	fakedriver.StmtQueryContext:      is[driver.StmtQueryContext],

	fakedriver.RowsNextResultSet:          is[driver.RowsNextResultSet],
	fakedriver.ColumnTypeScanType:         is[driver.RowsColumnTypeScanType],
	fakedriver.ColumnTypeDatabaseTypeName: is[driver.RowsColumnTypeDatabaseTypeName],
	fakedriver.ColumnTypeLength:           is[driver.RowsColumnTypeLength],
	fakedriver.ColumnTypeNullable:         is[driver.RowsColumnTypeNullable],
	fakedriver.ColumnTypePrecisionScale:   is[driver.RowsColumnTypePrecisionScale],
}

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

// seen returns the members of from that can be seen of an object.
func seen(from fakedriver.Set, v any) (s fakedriver.Set) {
	for one, has := range interfaces {
		if from.Has(one) && has(v) {
			s |= one
		}
	}
	return s
}

func TestConnSets(t *testing.T) {
	for _, set := range fakedriver.ConnSets() {
		c := connect(t, fakedriver.New(set, nil))
		want := set &^ fakedriver.Unhashable
		if got := seen(fakedriver.OnConn, c); got != want {
			t.Errorf("asked for %v: the connection has %v", want, got)
		}
		if !is[driver.Tx](c) {
			t.Errorf("%v: the connection can't be a transaction", set)
		}
	}
}

func TestStmtSets(t *testing.T) {
	for _, set := range fakedriver.StmtSets() {
		s := prepare(t, fakedriver.New(set, nil), "q")
		if got := seen(fakedriver.OnStmt, s); got != set {
			t.Errorf("asked for %v: the statement has %v", set, got)
		}
	}
}

func TestRowsSets(t *testing.T) {
	for _, set := range fakedriver.RowsSets() {
		r := fakedriver.New(set, nil).NewRows(t.Context(), "q", nil)
		if got := seen(fakedriver.OnRows|fakedriver.RowsColumnScanner, r); got != set {
			t.Errorf("asked for %v: the rows have %v", set, got)
		}
	}
}

func TestDriverSets(t *testing.T) {
	for _, set := range []fakedriver.Set{0, fakedriver.DriverContext, fakedriver.ConnectorCloser} {
		f := fakedriver.New(set, nil)
		got := seen(fakedriver.DriverContext, f.Driver()) | seen(fakedriver.ConnectorCloser, f.Connector())
		if got != set {
			t.Errorf("asked for %v: there is %v", set, got)
		}
	}
}

// TestSetsCoverEveryInterface keeps the lists from losing what the comments
// at their head promise.
func TestSetsCoverEveryInterface(t *testing.T) {
	for _, object := range []struct {
		name string
		all  fakedriver.Set
		sets []fakedriver.Set
	}{
		{"conn", fakedriver.OnConn, fakedriver.ConnSets()},
		{"stmt", fakedriver.OnStmt, fakedriver.StmtSets()},
		{"rows", fakedriver.OnRows, fakedriver.RowsSets()},
	} {
		has := make(map[fakedriver.Set]bool)
		for _, s := range object.sets {
			if has[s] {
				t.Errorf("%s: %v is listed twice", object.name, s)
			}
			has[s] = true
		}
		want := []fakedriver.Set{0, object.all}
		for one := range interfaces {
			if object.all.Has(one) {
				want = append(want, one, object.all&^one)
			}
		}
		for _, s := range want {
			if !has[s] {
				t.Errorf("%s: no set is %v", object.name, s)
			}
		}
	}
}

func TestSetString(t *testing.T) {
	for s, want := range map[fakedriver.Set]string{
		0: "none",
		fakedriver.Pinger | fakedriver.Unhashable: "Pinger+Unhashable",
		fakedriver.RowsColumnScanner:              "RowsColumnScanner",
	} {
		if got := s.String(); got != want {
			t.Errorf("%d: %q, want %q", s, got, want)
		}
	}
}

func connect(t *testing.T, f *fakedriver.Fake) driver.Conn {
	t.Helper()
	c, err := f.Connector().Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func prepare(t *testing.T, f *fakedriver.Fake, query string) driver.Stmt {
	t.Helper()
	s, err := connect(t, f).Prepare(query)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
