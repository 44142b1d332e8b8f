package driverwrap_test

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"strings"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// mocked opens a DB on go-sqlmock, wrapped: its driver is registered under
// the name "sqlmock" and finds the expectations by the data source.
func mocked(t *testing.T, tr *tracker.Tracker) (*sql.DB, sqlmock.Sqlmock) {
	t.Helper()
	bare, mock, err := sqlmock.NewWithDSN(t.Name(), sqlmock.MonitorPingsOption(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bare.Close() })
	db, err := driverwrap.Open("sqlmock", t.Name(), driverwrap.WithTracker(tr))
	if err != nil {
		t.Fatal(err)
	}
	return db, mock
}

func TestSqlmock(t *testing.T) {
	tr := newTracker(t)
	db, mock := mocked(t, tr)
	broken := errors.New("broken")
	mock.ExpectPing()
	mock.ExpectBegin()
	mock.ExpectExec("UPDATE stock").WithArgs(sqlmock.AnyArg(), "bolt").WillReturnResult(sqlmock.NewResult(0, 1))
	mock.ExpectPrepare("SELECT price").ExpectQuery().WithArgs(7).WillReturnRows(sqlmock.NewRows([]string{"price"}).AddRow(3).AddRow(4))
	mock.ExpectCommit()
	mock.ExpectBegin()
	mock.ExpectExec("DELETE").WillReturnError(broken)
	mock.ExpectRollback()
	mock.ExpectClose()

	if err := db.Ping(); err != nil {
		t.Error(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("UPDATE stock SET n = ? WHERE name = ?", 5, "bolt"); err != nil {
		t.Error(err)
	}
	stmt, err := tx.Prepare("SELECT price")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := stmt.Query(7)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	if tx, err = db.Begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("DELETE"); err != broken {
		t.Errorf("error %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if err := mock.ExpectationsWereMet(); err != nil {
		t.Error(err)
	}
}

func TestSqlmockLeak(t *testing.T) {
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	db, mock := mocked(t, tr)
	mock.ExpectBegin()
	mock.ExpectRollback()
	mock.ExpectClose()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	var said saying
	tr.AssertNoLeaks(&said, tracker.Grace(0))
	if !strings.Contains(string(said), "tx LEAKED") || !strings.Contains(string(said), "TestSqlmockLeak") {
		t.Errorf("said %q", said)
	}
	// sqlmock keeps the data source's name until all is closed.
	if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
		t.Error(err)
	}
}

// A test with go-sqlmock finds leaks, too.
func Example_sqlmock() {
	watch, err := tracker.New()
	if err != nil {
		log.Fatal(err)
	}
	bare, mock, err := sqlmock.NewWithDSN("shop") // was: db, mock, err := sqlmock.New()
	if err != nil {
		log.Fatal(err)
	}
	defer bare.Close()
	db, err := driverwrap.Open("sqlmock", "shop", driverwrap.WithTracker(watch))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	mock.ExpectQuery("SELECT price").WillReturnRows(mock.NewRows([]string{"price"}).AddRow(7))
	rows, err := db.Query("SELECT price FROM stock")
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close() // later than is asked for here
	rows.Next()

	fmt.Println("expectations:", mock.ExpectationsWereMet())
	for _, f := range watch.Snapshot().Open { // in a test: watch.AssertNoLeaks(t)
		fmt.Println("open:", f.Kind)
	}
	// Output:
	// expectations: <nil>
	// open: db
	// open: rows
}

// saying is a test that remembers what an assertion said.
type saying string

func (s *saying) Errorf(_ string, args ...any) {
	for _, a := range args {
		if text, ok := a.(interface{ String() string }); ok {
			*s += saying(text.String())
		}
	}
}
