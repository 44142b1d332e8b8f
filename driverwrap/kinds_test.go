package driverwrap_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestKinds opens a handle on each route through database/sql, and looks at
// what is recorded while it is open and after it was given back.
func TestKinds(t *testing.T) {
	type counts = map[tracker.Kind]int
	for _, tt := range []struct {
		name string
		open func(db *sql.DB) (giveBack []func() error)
		// root is the kind of the one finding.
		root     tracker.Kind
		recorded counts
	}{
		{"DB.Query", func(db *sql.DB) []func() error {
			rows, _ := db.Query("rows 2")
			return []func() error{rows.Close}
		}, tracker.KindRows, counts{tracker.KindRows: 1}},
		{"DB.QueryRow", func(db *sql.DB) []func() error {
			row := db.QueryRow("rows 2")
			return []func() error{scan(row)}
		}, tracker.KindRow, counts{tracker.KindRow: 1}},
		{"DB.Begin", func(db *sql.DB) []func() error {
			tx, _ := db.Begin()
			return []func() error{tx.Commit}
		}, tracker.KindTx, counts{tracker.KindTx: 1}},
		{"DB.Conn", func(db *sql.DB) []func() error {
			conn, _ := db.Conn(ctx)
			return []func() error{conn.Close}
		}, tracker.KindConn, counts{tracker.KindConn: 1}},
		{"DB.Prepare", func(db *sql.DB) []func() error {
			stmt, _ := db.Prepare("rows 2")
			return []func() error{stmt.Close}
		}, tracker.KindStmt, counts{tracker.KindStmt: 1}},
		{"Stmt.Query", func(db *sql.DB) []func() error {
			stmt, _ := db.Prepare("rows 2")
			rows, _ := stmt.Query()
			return []func() error{rows.Close, stmt.Close}
		}, tracker.KindRows, counts{tracker.KindRows: 1, tracker.KindStmt: 1}},
		{"Tx.Query, Tx.QueryRow, Tx.Prepare", func(db *sql.DB) []func() error {
			tx, _ := db.Begin()
			tx.Query("rows 2")
			tx.QueryRow("rows 2")
			tx.Prepare("rows 2")
			return []func() error{tx.Rollback}
		}, tracker.KindTx, counts{tracker.KindTx: 1, tracker.KindRows: 1, tracker.KindRow: 1, tracker.KindStmt: 1}},
		{"Tx.Stmt", func(db *sql.DB) []func() error {
			stmt, _ := db.Prepare("rows 2")
			tx, _ := db.Begin()
			rows, _ := tx.Stmt(stmt).Query()
			return []func() error{rows.Close, tx.Rollback, stmt.Close}
		}, tracker.KindTx, counts{tracker.KindTx: 1, tracker.KindRows: 1, tracker.KindStmt: 1}},
		{"Conn.BeginTx, Conn.Query", func(db *sql.DB) []func() error {
			conn, _ := db.Conn(ctx)
			tx, _ := conn.BeginTx(ctx, nil)
			rows, _ := conn.QueryContext(ctx, "rows 2")
			return []func() error{rows.Close, tx.Commit, conn.Close}
		}, tracker.KindConn, counts{tracker.KindConn: 1, tracker.KindTx: 1, tracker.KindRows: 1}},
		{"Conn.Prepare", func(db *sql.DB) []func() error {
			conn, _ := db.Conn(ctx)
			stmt, _ := conn.PrepareContext(ctx, "rows 2")
			return []func() error{stmt.Close, conn.Close}
		}, tracker.KindConn, counts{tracker.KindConn: 1, tracker.KindStmt: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTracker(t)
			db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr))
			defer db.Close()
			giveBack := tt.open(db)
			s := tr.Snapshot()
			if got := nonZero(s.Pools[0].Open); !maps.Equal(got, tt.recorded) {
				t.Errorf("recorded %v, want %v", got, tt.recorded)
			}
			var roots []string
			for _, f := range s.Open {
				if f.Kind == tracker.KindDB || f.Kind == tracker.KindStmt && tt.root != tracker.KindStmt {
					continue
				}
				roots = append(roots, f.Kind.String())
				if !strings.Contains(f.Site.Function, "TestKinds") {
					t.Errorf("%v opened at %v", f.Kind, f.Site)
				}
			}
			if fmt.Sprint(roots) != fmt.Sprint([]tracker.Kind{tt.root}) {
				t.Errorf("root causes %v, want %v", roots, tt.root)
			}
			for _, f := range giveBack {
				if err := f(); err != nil {
					t.Error(err)
				}
			}
			if p := tr.Snapshot().Pools[0]; len(nonZero(p.Open)) != 0 || p.InUse != 0 || p.Idle != db.Stats().Idle {
				t.Errorf("left %+v, database/sql %+v", p, db.Stats())
			}
		})
	}
}

func scan(row *sql.Row) func() error {
	return func() error { var n int; return row.Scan(&n) }
}

func nonZero(m map[tracker.Kind]int) map[tracker.Kind]int {
	maps.DeleteFunc(m, func(_ tracker.Kind, n int) bool { return n == 0 })
	return m
}

// TestConnectionOpenedByThePool waits for a connection that the pool opens on
// a goroutine of its own and hands over unseen: it counts as idle until its
// first driver call.
func TestConnectionOpenedByThePool(t *testing.T) {
	tr := newTracker(t)
	c := &nopdriver.Connector{Before: func(_ context.Context, _, query string) error {
		if query == "break" {
			return driver.ErrBadConn
		}
		return nil
	}}
	db := driverwrap.OpenDB(c, driverwrap.WithTracker(tr))
	defer db.Close()
	db.SetMaxOpenConns(1)
	broken, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	handed := make(chan *sql.Conn)
	go func() {
		conn, err := db.Conn(ctx)
		if err != nil {
			t.Error(err)
		}
		handed <- conn
	}()
	for db.Stats().WaitCount == 0 {
		runtime.Gosched()
	}
	if _, err := broken.ExecContext(ctx, "break"); !errors.Is(err, driver.ErrBadConn) {
		t.Fatal(err)
	}
	conn := <-handed
	if p := tr.Snapshot().Pools[0]; p.InUse != 0 || p.Idle != 1 {
		t.Errorf("before its first use: %+v", p)
	}
	rows, err := conn.QueryContext(ctx, "rows 2")
	if err != nil {
		t.Fatal(err)
	}
	s := tr.Snapshot()
	if p := s.Pools[0]; p.InUse != 1 || p.Open[tracker.KindRows] != 1 {
		t.Errorf("in use: %+v", p)
	}
	rows.Close()
	if p := tr.Snapshot().Pools[0]; p.InUse != 1 {
		t.Errorf("the rows are closed, not the connection: %+v", p)
	}
	conn.Close()
	if p := tr.Snapshot().Pools[0]; p.InUse != 0 || p.Idle != 1 {
		t.Errorf("given back: %+v", p)
	}
}
