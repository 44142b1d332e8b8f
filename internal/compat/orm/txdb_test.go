package orm

import (
	"database/sql"

	"github.com/DATA-DOG/go-txdb"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// txdb is a driver on top of a DB: all of its connections are one transaction,
// which begins with the first statement and ends with the last connection.
var txdbPrograms = []program{{
	name: "txdb on a wrapped driver",
	on:   []*backend{mysqlBackend, pqBackend},
	run: func(a *app) {
		db := sql.OpenDB(txdb.New(a.driver, a.dsn))
		a.atEnd(db.Close)
		runTxdb(a, db)
	},
	keeps: true,
	leaks: []leak{
		{"txdb handle", tracker.KindTx, func(a *app) func() error {
			db := sql.OpenDB(txdb.New(a.driver, a.dsn))
			_, err := db.ExecContext(a.ctx, "DELETE FROM book") // leak: txdb handle
			a.must(err)
			return db.Close
		}},
	},
}, {
	name: "txdb wrapped",
	on:   []*backend{mysqlBackend, pqBackend},
	run: func(a *app) {
		runTxdb(a, wrapTxdb(a, a.backend.driver))
	},
	leaks: []leak{
		{"txdb transaction", tracker.KindTx, func(a *app) func() error {
			db := wrapTxdb(a, a.backend.driver)
			tx, err := db.BeginTx(a.ctx, nil) // leak: txdb transaction
			a.must(err)
			return tx.Rollback
		}},
		// txdb reads the rows at once, into memory.
		{"txdb rows", tracker.KindRows, func(a *app) func() error {
			rows, err := wrapTxdb(a, a.backend.driver).QueryContext(a.ctx, "SELECT title FROM book") // leak: txdb rows
			a.must(err)
			return rows.Close
		}},
	},
}, {
	name: "txdb wrapped on a wrapped driver",
	on:   []*backend{mysqlBackend, pqBackend},
	run: func(a *app) {
		runTxdb(a, wrapTxdb(a, a.driver))
	},
	keeps: true,
}}

// wrapTxdb opens a DB of txdb on the driver, and watches it if the program is
// to be watched.
func wrapTxdb(a *app, on string) *sql.DB {
	db := driverwrap.OpenDB(txdb.New(on, a.dsn), driverwrap.WithTracker(a.tracker))
	a.atEnd(db.Close)
	return db
}

func runTxdb(a *app, db *sql.DB) {
	// The table is not to be the transaction's: MariaDB would commit that.
	_, err := a.db.ExecContext(a.ctx, makeBooks[0])
	a.must(err)
	_, err = db.ExecContext(a.ctx, makeBooks[1])
	a.must(err)
	tx, err := db.BeginTx(a.ctx, nil)
	a.must(err)
	_, err = tx.ExecContext(a.ctx, makeBooks[2])
	a.must(err)
	a.must(tx.Commit())
	undone, err := db.BeginTx(a.ctx, nil)
	a.must(err)
	_, err = undone.ExecContext(a.ctx, "DELETE FROM book")
	a.must(err)
	a.must(undone.Rollback())
	rows, err := db.QueryContext(a.ctx, "SELECT id, title, pages FROM book ORDER BY id")
	a.must(err)
	a.readBooks(rows)
	// Only the transaction sees them.
	var n int
	a.must(a.db.QueryRowContext(a.ctx, "SELECT COUNT(*) FROM book").Scan(&n))
	if n != 0 {
		a.t.Errorf("%d books outside of the transaction", n)
	}
}
