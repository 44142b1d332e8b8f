package orm

import (
	"context"
	"database/sql"
	"io/fs"
	"testing/fstest"

	"github.com/pressly/goose/v3"

	"github.com/dbleaks-go/dbleaks/tracker"
)

var goosePrograms = []program{{
	name: "goose",
	on:   []*backend{mysqlBackend, pgxBackend},
	run:  runGoose,
	leaks: []leak{
		{"goose rows", tracker.KindRows, func(a *app) func() error {
			var rows *sql.Rows
			p := newGoose(a, nil, &goose.GoFunc{RunDB: func(ctx context.Context, db *sql.DB) (err error) {
				// The migration's context ends with it, and these rows not.
				rows, err = db.Query("SELECT title FROM book") // leak: goose rows
				return err
			}})
			_, err := p.Up(a.ctx)
			a.must(err)
			return rows.Close
		}},
		// What goose itself holds while it migrates is held by its caller.
		{"goose migration", tracker.KindConn, func(a *app) func() error {
			return a.halt(func(wait func()) error {
				p := newGoose(a, nil, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, "UPDATE book SET pages = pages + 1")
					wait()
					return err
				}})
				_, err := p.Up(a.ctx) // leak: goose migration
				return err
			})
		}},
	},
}}

// newGoose makes a provider of the migrations in files and, as version 2, of
// the function.
func newGoose(a *app, files fs.FS, f *goose.GoFunc) *goose.Provider {
	dialect := goose.DialectMySQL
	if a.backend == pgxBackend {
		dialect = goose.DialectPostgres
	}
	p, err := goose.NewProvider(dialect, a.db, files, goose.WithGoMigrations(goose.NewGoMigration(2, f, nil)))
	a.must(err)
	return p
}

func runGoose(a *app) {
	files := fstest.MapFS{
		"1_book.sql":    {Data: []byte("-- +goose Up\n" + makeBooks[0] + ";\n" + makeBooks[1] + ";\n-- +goose Down\nDROP TABLE book;\n")},
		"3_nothing.sql": {Data: []byte("-- +goose NO TRANSACTION\n-- +goose Up\nDELETE FROM book WHERE pages < 10;\n")},
	}
	p := newGoose(a, files, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, makeBooks[2])
		return err
	}})
	for range 2 {
		_, err := p.Up(a.ctx)
		a.must(err)
		if pending, err := p.HasPending(a.ctx); pending || err != nil {
			a.t.Errorf("pending: %t (%v)", pending, err)
		}
		rows, err := a.db.QueryContext(a.ctx, "SELECT id, title, pages FROM book ORDER BY id")
		a.must(err)
		a.saw = nil
		a.readBooks(rows)
		_, err = p.DownTo(a.ctx, 0)
		a.must(err)
	}
}
