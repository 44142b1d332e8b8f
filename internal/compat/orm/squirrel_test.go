package orm

import (
	"database/sql"

	"github.com/Masterminds/squirrel"

	"github.com/dbleaks-go/dbleaks/tracker"
)

var squirrelPrograms = []program{{
	name: "squirrel",
	on:   []*backend{mysqlBackend, pqBackend},
	run:  func(a *app) { runSquirrel(a, a.db) },
	leaks: []leak{
		{"squirrel rows", tracker.KindRows, func(a *app) func() error {
			rows, err := builder(a, a.db).
				Select("title").
				From("book").
				Where(squirrel.Gt{"pages": 100}).
				QueryContext(a.ctx) // leak: squirrel rows
			a.must(err)
			return rows.Close
		}},
		{"squirrel row", tracker.KindRow, func(a *app) func() error {
			row := builder(a, a.db).Select("title").From("book").QueryRow() // leak: squirrel row
			var title string
			return func() error { return row.Scan(&title) }
		}},
	},
}, {
	name: "squirrel with a cache of statements",
	on:   []*backend{mysqlBackend, pqBackend},
	run: func(a *app) {
		cache := squirrel.NewStmtCache(a.db)
		runSquirrel(a, cache)
		a.must(cache.Clear())
	},
	leaks: []leak{
		{"squirrel statement", tracker.KindStmt, func(a *app) func() error {
			cache := squirrel.NewStmtCache(a.db)
			var title string
			a.must(builder(a, cache).Select("title").From("book").Where("id = 1").Scan(&title)) // leak: squirrel statement
			return cache.Clear
		}},
	},
}}

// builder builds statements with the backend's placeholders.
func builder(a *app, on squirrel.BaseRunner) squirrel.StatementBuilderType {
	b := squirrel.StatementBuilder.RunWith(on)
	if a.backend != mysqlBackend {
		b = b.PlaceholderFormat(squirrel.Dollar)
	}
	return b
}

func runSquirrel(a *app, on squirrel.BaseRunner) {
	_, err := on.Exec(makeBooks[0])
	a.must(err)
	tx, err := a.db.BeginTx(a.ctx, nil)
	a.must(err)
	_, err = builder(a, tx).Insert("book").Columns("id", "title", "pages").Values(1, "Emma", 400).ExecContext(a.ctx)
	a.must(err)
	a.must(tx.Commit())
	b := builder(a, on)
	_, err = b.Insert("book").SetMap(map[string]any{"id": 2, "title": "Ulysses", "pages": 730}).Exec()
	a.must(err)
	_, err = b.Update("book").Set("pages", 474).Where(squirrel.Eq{"id": 1}).Exec()
	a.must(err)
	rows, err := b.Select("id", "title", "pages").From("book").OrderBy("id").Query()
	a.must(err)
	a.readBooks(rows)
	var title string
	if err := b.Select("title").From("book").Where(squirrel.Eq{"id": 7}).Scan(&title); err != sql.ErrNoRows {
		a.t.Errorf("a book that isn't there: %v", err)
	}
}
