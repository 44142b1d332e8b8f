package orm

import (
	"github.com/jmoiron/sqlx"

	"github.com/dbleaks-go/dbleaks/tracker"
)

var sqlxPrograms = []program{{
	name: "sqlx",
	on:   []*backend{mysqlBackend, pqBackend},
	run:  runSqlx,
	leaks: []leak{
		{"sqlx rows", tracker.KindRows, func(a *app) func() error {
			db := openSqlx(a)
			rows, err := db.Queryx(db.Rebind("SELECT * FROM book WHERE pages > ?"), 100) // leak: sqlx rows
			a.must(err)
			return rows.Close
		}},
		{"sqlx named rows", tracker.KindRows, func(a *app) func() error {
			rows, err := openSqlx(a).NamedQuery("SELECT * FROM book WHERE pages > :pages", sqlxBook{Pages: 100}) // leak: sqlx named rows
			a.must(err)
			return rows.Close
		}},
		{"sqlx row", tracker.KindRows, func(a *app) func() error {
			row := openSqlx(a).QueryRowxContext(a.ctx, "SELECT * FROM book ORDER BY id") // leak: sqlx row
			return func() error { return row.StructScan(&sqlxBook{}) }
		}},
		{"sqlx transaction", tracker.KindTx, func(a *app) func() error {
			tx, err := openSqlx(a).Beginx() // leak: sqlx transaction
			a.must(err)
			a.must(tx.Get(&sqlxBook{}, "SELECT * FROM book WHERE id = 1"))
			return tx.Rollback
		}},
		{"sqlx statement", tracker.KindStmt, func(a *app) func() error {
			stmt, err := openSqlx(a).PrepareNamed("SELECT * FROM book WHERE id = :id") // leak: sqlx statement
			a.must(err)
			a.must(stmt.Get(&sqlxBook{}, sqlxBook{ID: 1}))
			return stmt.Close
		}},
		{"sqlx connection", tracker.KindConn, func(a *app) func() error {
			conn, err := openSqlx(a).Connx(a.ctx) // leak: sqlx connection
			a.must(err)
			a.must(conn.GetContext(a.ctx, &sqlxBook{}, "SELECT * FROM book WHERE id = 1"))
			return conn.Close
		}},
	},
}}

type sqlxBook struct {
	ID    int64
	Title string
	Pages int
}

// openSqlx lets sqlx open the DB.
func openSqlx(a *app) *sqlx.DB {
	a.t.Helper()
	// It knows placeholders from the driver's name.
	sqlx.BindDriver(a.driver, sqlx.BindType(a.backend.driver))
	db, err := sqlx.ConnectContext(a.ctx, a.driver, a.dsn)
	a.must(err)
	a.atEnd(db.Close)
	return db
}

func runSqlx(a *app) {
	db := openSqlx(a)
	db.MustExecContext(a.ctx, makeBooks[0])
	const insert = "INSERT INTO book (id, title, pages) VALUES (:id, :title, :pages)"
	tx, err := db.BeginTxx(a.ctx, nil)
	a.must(err)
	stmt, err := tx.PrepareNamed(insert)
	a.must(err)
	_, err = stmt.Exec(sqlxBook{1, "Emma", 474})
	a.must(err)
	a.must(stmt.Close())
	a.must(tx.Commit())
	_, err = db.NamedExecContext(a.ctx, insert, []sqlxBook{{2, "Ulysses", 730}, {3, "Sula", 174}})
	a.must(err)

	var title string
	query, args, err := sqlx.In("SELECT title FROM book WHERE id IN (?)", []int{3})
	a.must(err)
	a.must(db.GetContext(a.ctx, &title, db.Rebind(query), args...))
	db.MustExecContext(a.ctx, db.Rebind("DELETE FROM book WHERE title = ?"), title)

	rows, err := db.QueryxContext(a.ctx, "SELECT * FROM book ORDER BY id")
	a.must(err)
	a.read(rows, func() error {
		var b sqlxBook
		err := rows.StructScan(&b)
		a.note(b.ID, b.Title, b.Pages)
		return err
	})
	var all []sqlxBook
	a.must(db.SelectContext(a.ctx, &all, "SELECT * FROM book"))
	if len(all) != len(a.saw) {
		a.t.Errorf("%d books at once, %d one by one", len(all), len(a.saw))
	}
}
