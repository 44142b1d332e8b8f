package orm

import (
	"database/sql"
	"errors"

	"github.com/mattn/go-sqlite3"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// The driver is one that is linked with C code. Nothing is between it and the
// program.
var (
	sqlite3Backend = &backend{driver: "sqlite3"}

	sqlite3Programs = []program{{
		name: "sqlite3",
		on:   []*backend{sqlite3Backend},
		run:  runSqlite3,
		leaks: []leak{
			{"sqlite3 rows", tracker.KindRows, func(a *app) func() error {
				rows, err := a.db.Query("SELECT * FROM book") // leak: sqlite3 rows
				a.must(err)
				return rows.Close
			}},
			{"sqlite3 transaction", tracker.KindTx, func(a *app) func() error {
				tx, err := a.db.Begin() // leak: sqlite3 transaction
				a.must(err)
				_, err = tx.Exec("DELETE FROM book")
				a.must(err)
				return tx.Rollback
			}},
			{"sqlite3 statement", tracker.KindStmt, func(a *app) func() error {
				stmt, err := a.db.Prepare("SELECT title FROM book") // leak: sqlite3 statement
				a.must(err)
				return stmt.Close
			}},
		},
	}}
)

func runSqlite3(a *app) {
	// Several statements in one string, with the arguments of all.
	_, err := a.db.ExecContext(a.ctx, makeBooks[0]+"; INSERT INTO book VALUES (?, ?, ?); INSERT INTO book VALUES (?, ?, ?)",
		1, "Emma", 400, 2, "Ulysses", 730)
	a.must(err)
	_, err = a.db.ExecContext(a.ctx, makeBooks[1])
	var constraint sqlite3.Error
	if !errors.As(err, &constraint) || constraint.ExtendedCode != sqlite3.ErrConstraintPrimaryKey {
		a.t.Errorf("a key given twice: %v", err)
	}
	tx, err := a.db.BeginTx(a.ctx, nil)
	a.must(err)
	_, err = tx.ExecContext(a.ctx, "UPDATE book SET pages = :pages WHERE id = :id", sql.Named("id", 1), sql.Named("pages", 474))
	a.must(err)
	a.must(tx.Commit())
	conn, err := a.db.Conn(a.ctx)
	a.must(err)
	a.must(conn.Raw(func(dc any) error {
		c, ok := driverwrap.Unwrap(dc).(*sqlite3.SQLiteConn)
		if !ok {
			a.t.Fatalf("the driver's connection is %T", dc)
		}
		return c.RegisterFunc("twice", func(n int64) int64 { return 2 * n }, true)
	}))
	var twice int
	a.must(conn.QueryRowContext(a.ctx, "SELECT twice(pages) FROM book WHERE id = 1").Scan(&twice))
	if twice != 2*474 {
		a.t.Errorf("twice 474 is %d", twice)
	}
	a.must(conn.Close())
	rows, err := a.db.QueryContext(a.ctx, "SELECT * FROM book ORDER BY id")
	a.must(err)
	a.readBooks(rows)
}
