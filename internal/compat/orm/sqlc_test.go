package orm

import (
	"context"
	"database/sql"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// Below is what sqlc generates, by hand. Its code is the application's: a
// handle that it opens is its own doing.
var sqlcPrograms = []program{{
	name: "sqlc",
	on:   []*backend{pgxBackend, pqBackend},
	run:  runSqlc,
	leaks: []leak{
		{"sqlc rows", tracker.KindRows, func(a *app) func() error {
			// As in a method that somebody added to the generated ones.
			q := &queries{a.db}
			rows, err := q.db.QueryContext(a.ctx, listBooks) // leak: sqlc rows
			a.must(err)
			return rows.Close
		}},
		{"sqlc transaction", tracker.KindTx, func(a *app) func() error {
			q := &queries{a.db}
			tx, err := a.db.BeginTx(a.ctx, nil) // leak: sqlc transaction
			a.must(err)
			a.must(q.WithTx(tx).CreateBook(a.ctx, 3, "Sula", 174))
			return tx.Rollback
		}},
		{"sqlc prepared", tracker.KindStmt, func(a *app) func() error {
			stmt, err := a.db.PrepareContext(a.ctx, listBooks) // leak: sqlc prepared
			a.must(err)
			return stmt.Close
		}},
	},
}}

// dbtx is satisfied by a DB, a Conn and a Tx.
type dbtx interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

type queries struct{ db dbtx }

// WithTx returns the same queries in a transaction.
func (q *queries) WithTx(tx *sql.Tx) *queries { return &queries{db: tx} }

const createBook = `INSERT INTO book (id, title, pages) VALUES ($1, $2, $3)`

// CreateBook adds a book.
func (q *queries) CreateBook(ctx context.Context, id int64, title string, pages int) error {
	_, err := q.db.ExecContext(ctx, createBook, id, title, pages)
	return err
}

const countBooks = `SELECT count(*) FROM book`

// CountBooks counts the books.
func (q *queries) CountBooks(ctx context.Context) (int64, error) {
	var n int64
	err := q.db.QueryRowContext(ctx, countBooks).Scan(&n)
	return n, err
}

const listBooks = `SELECT id, title, pages FROM book ORDER BY id`

// ListBooks returns all books.
func (q *queries) ListBooks(ctx context.Context) ([]sqlxBook, error) {
	rows, err := q.db.QueryContext(ctx, listBooks)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var items []sqlxBook
	for rows.Next() {
		var i sqlxBook
		if err := rows.Scan(&i.ID, &i.Title, &i.Pages); err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return items, nil
}

func runSqlc(a *app) {
	_, err := a.db.ExecContext(a.ctx, makeBooks[0])
	a.must(err)
	q := &queries{a.db}
	a.must(q.CreateBook(a.ctx, 1, "Emma", 474))
	tx, err := a.db.BeginTx(a.ctx, nil)
	a.must(err)
	a.must(q.WithTx(tx).CreateBook(a.ctx, 2, "Ulysses", 730))
	n, err := q.WithTx(tx).CountBooks(a.ctx)
	a.must(err)
	a.must(tx.Commit())
	books, err := q.ListBooks(a.ctx)
	a.must(err)
	if len(books) != int(n) {
		a.t.Errorf("%d books listed, %d counted", len(books), n)
	}
	for _, b := range books {
		a.note(b.ID, b.Title, b.Pages)
	}
}
