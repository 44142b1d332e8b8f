package driverwrap_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// mockRun is a program on a mocked DB, and what it saw.
type mockRun struct {
	*sql.DB
	saw  []string
	left *sql.Rows // to be closed when the mock has judged
}

func (r *mockRun) see(what ...any) { r.saw = append(r.saw, fmt.Sprint(what...)) }

// rows notes rows to their end.
func (r *mockRun) rows(rows *sql.Rows, err error) {
	r.see(err)
	if err != nil {
		return
	}
	for more := true; more; more = rows.NextResultSet() {
		types, err := rows.ColumnTypes()
		r.see(err)
		for _, c := range types {
			length, hasLength := c.Length()
			nullable, known := c.Nullable()
			precision, scale, hasSize := c.DecimalSize()
			r.see(c.Name(), c.ScanType(), c.DatabaseTypeName(), length, hasLength, nullable, known, precision, scale, hasSize)
		}
		for rows.Next() {
			var v any
			r.see(rows.Scan(&v), v)
		}
		r.see(rows.Err())
	}
	r.see(rows.Close())
}

func (r *mockRun) exec(query string, args ...any) {
	result, err := r.Exec(query, args...)
	r.see(err)
	if err == nil {
		id, idErr := result.LastInsertId()
		n, err := result.RowsAffected()
		r.see(id, idErr, n, err)
	}
}

var errMock = errors.New("mock: broken")

// mockCents is a type that only the mock's converter knows.
type mockCents int

type mockConverter struct{}

func (mockConverter) ConvertValue(v any) (driver.Value, error) {
	if c, ok := v.(mockCents); ok {
		return fmt.Sprintf("%d ct", c), nil
	}
	return driver.DefaultParameterConverter.ConvertValue(v)
}

// TestSqlmockExpectations has the mock expect everything that it can: the
// program, and the mock's own judgement, must not change with the wrapper.
func TestSqlmockExpectations(t *testing.T) {
	column := func(m sqlmock.Sqlmock, values ...driver.Value) *sqlmock.Rows {
		rows := m.NewRows([]string{"n"})
		for _, v := range values {
			rows.AddRow(v)
		}
		return rows
	}
	for _, tt := range []struct {
		name   string
		expect func(sqlmock.Sqlmock)
		run    func(*mockRun)
		unmet  bool
	}{
		{"ping", func(m sqlmock.Sqlmock) { m.ExpectPing(); m.ExpectPing().WillReturnError(errMock) },
			func(r *mockRun) { r.see(r.Ping()); r.see(r.Ping()) }, false},
		{"nothing expected", func(sqlmock.Sqlmock) {},
			func(r *mockRun) {
				r.see(r.Ping())
				r.exec("UPDATE")
				r.rows(r.Query("SELECT"))
				_, err := r.Begin()
				r.see(err)
			}, false},
		{"not met", func(m sqlmock.Sqlmock) { m.ExpectExec("UPDATE"); m.ExpectClose() }, func(*mockRun) {}, true},
		{"another order", func(m sqlmock.Sqlmock) { m.ExpectExec("UPDATE a"); m.ExpectExec("UPDATE b") },
			func(r *mockRun) { r.exec("UPDATE b"); r.exec("UPDATE a") }, true},
		{"any order", func(m sqlmock.Sqlmock) {
			m.MatchExpectationsInOrder(false)
			m.ExpectExec("UPDATE a").WillReturnResult(sqlmock.NewResult(1, 2))
			m.ExpectExec("UPDATE b").WillReturnResult(sqlmock.NewErrorResult(errMock))
		}, func(r *mockRun) { r.exec("UPDATE b"); r.exec("UPDATE a") }, false},
		{"arguments", func(m sqlmock.Sqlmock) {
			m.ExpectExec("UPDATE").WithArgs(1, "a", sqlmock.AnyArg(), "5 ct", nil).WillReturnResult(driver.ResultNoRows)
			m.ExpectExec("UPDATE").WithoutArgs().WillReturnError(errMock)
		}, func(r *mockRun) { r.exec("UPDATE", 1, "a", time.Now(), mockCents(5), nil); r.exec("UPDATE") }, false},
		{"named arguments", func(m sqlmock.Sqlmock) {
			m.ExpectExec("UPDATE").WithArgs(sql.Named("id", 1)).WillReturnResult(sqlmock.NewResult(3, 4))
		}, func(r *mockRun) { r.exec("UPDATE", sql.Named("id", 1)) }, false},
		{"other arguments", func(m sqlmock.Sqlmock) { m.ExpectExec("UPDATE").WithArgs(1, 2) },
			func(r *mockRun) { r.exec("UPDATE", 1, 3); r.exec("UPDATE", struct{}{}) }, true},
		{"rows", func(m sqlmock.Sqlmock) {
			m.ExpectQuery("SELECT").WillReturnRows(column(m, 1, nil, "a"), column(m, 2)).RowsWillBeClosed()
		}, func(r *mockRun) { r.rows(r.Query("SELECT")) }, false},
		{"rows left open", func(m sqlmock.Sqlmock) { m.ExpectQuery("SELECT").WillReturnRows(column(m, 1)).RowsWillBeClosed() },
			func(r *mockRun) { rows, err := r.Query("SELECT"); r.see(err); r.left = rows }, true},
		{"rows that fail", func(m sqlmock.Sqlmock) {
			m.ExpectQuery("SELECT").WillReturnRows(column(m, 1, 2).RowError(1, errMock))
			m.ExpectQuery("SELECT").WillReturnRows(column(m, 1).CloseError(errMock))
			m.ExpectQuery("SELECT").WillReturnError(errMock)
		}, func(r *mockRun) {
			for range 3 {
				r.rows(r.Query("SELECT"))
			}
		}, false},
		{"column types", func(m sqlmock.Sqlmock) {
			m.ExpectQuery("SELECT").WillReturnRows(m.NewRowsWithColumnDefinition(
				m.NewColumn("n").OfType("DECIMAL", 1.5).Nullable(true).WithLength(8).WithPrecisionAndScale(10, 2),
			).AddRow(2.5))
		}, func(r *mockRun) { r.rows(r.Query("SELECT")) }, false},
		{"statements", func(m sqlmock.Sqlmock) {
			p := m.ExpectPrepare("SELECT").WillBeClosed().WillReturnCloseError(errMock)
			p.ExpectQuery().WithArgs(1).WillReturnRows(column(m, 5))
			p.ExpectExec().WithArgs(2).WillReturnResult(sqlmock.NewResult(0, 1))
			m.ExpectPrepare("SELECT").WillReturnError(errMock)
		}, func(r *mockRun) {
			stmt, err := r.Prepare("SELECT")
			r.see(err)
			r.rows(stmt.Query(1))
			_, err = stmt.Exec(2)
			r.see(err, stmt.Close())
			_, err = r.Prepare("SELECT")
			r.see(err)
		}, false},
		{"statement left open", func(m sqlmock.Sqlmock) { m.ExpectPrepare("SELECT").WillBeClosed() },
			func(r *mockRun) { _, err := r.Prepare("SELECT"); r.see(err) }, true},
		{"transactions", func(m sqlmock.Sqlmock) {
			m.ExpectBegin()
			m.ExpectCommit().WillReturnError(errMock)
			m.ExpectBegin()
			m.ExpectRollback().WillReturnError(errMock)
			m.ExpectBegin().WillReturnError(errMock)
		}, func(r *mockRun) {
			tx, err := r.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
			r.see(err, tx.Commit())
			tx, err = r.Begin()
			r.see(err, tx.Rollback())
			_, err = r.Begin()
			r.see(err)
		}, false},
		{"delays", func(m sqlmock.Sqlmock) {
			m.ExpectQuery("SELECT").WillDelayFor(time.Hour)
			m.ExpectPing().WillDelayFor(time.Hour)
			m.ExpectBegin().WillDelayFor(time.Hour)
		}, func(r *mockRun) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			conn, err := r.Conn(context.WithoutCancel(ctx))
			r.see(err)
			_, err = conn.QueryContext(ctx, "SELECT")
			r.see(err, conn.PingContext(ctx))
			_, err = conn.BeginTx(ctx, nil)
			r.see(err, conn.Close())
		}, false},
		{"close", func(m sqlmock.Sqlmock) { m.ExpectPing(); m.ExpectClose().WillReturnError(errMock) },
			func(r *mockRun) { r.see(r.Ping()); r.see(r.Close()) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr, err := tracker.New()
			if err != nil {
				t.Fatal(err)
			}
			bare, bareMet := mockProgram(t, nil, tt.expect, tt.run)
			wrapped, met := mockProgram(t, tr, tt.expect, tt.run)
			if !slices.Equal(bare, wrapped) {
				t.Errorf("saw %q\nbare %q", wrapped, bare)
			}
			if fmt.Sprint(met) != fmt.Sprint(bareMet) || reflect.TypeOf(met) != reflect.TypeOf(bareMet) || (met != nil) != tt.unmet {
				t.Errorf("expectations: %v\nbare: %v", met, bareMet)
			}
		})
	}
}

// mockProgram runs a program on a mock, wrapped if there is a tracker. The
// mock's name is the same each time, as some of its errors have it.
func mockProgram(t *testing.T, tr *tracker.Tracker, expect func(sqlmock.Sqlmock), run func(*mockRun)) (saw []string, unmet error) {
	t.Helper()
	db, mock, err := sqlmock.NewWithDSN(t.Name(), sqlmock.MonitorPingsOption(true), sqlmock.ValueConverterOption(mockConverter{}))
	if err != nil {
		t.Fatal(err)
	}
	dbs := []*sql.DB{db}
	if tr != nil {
		if db, err = driverwrap.Open("sqlmock", t.Name(), driverwrap.WithTracker(tr)); err != nil {
			t.Fatal(err)
		}
		dbs = append(dbs, db)
	}
	expect(mock)
	r := &mockRun{DB: db}
	run(r)
	unmet = mock.ExpectationsWereMet()
	if r.left != nil {
		r.left.Close()
	}
	for _, db := range dbs {
		db.Close() // the mock may not expect it
	}
	return r.saw, unmet
}
