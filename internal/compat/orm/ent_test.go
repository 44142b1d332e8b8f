package orm

import (
	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// These use what ent's generated code is made of.
var entPrograms = []program{{
	name: "ent",
	on:   []*backend{mysqlBackend, pgxBackend},
	run:  runEnt,
	leaks: []leak{
		{"ent rows", tracker.KindRows, func(a *app) func() error {
			db := openEnt(a)
			query, args := selectEnt(db)
			var rows entsql.Rows
			a.must(db.Query(a.ctx, query, args, &rows)) // leak: ent rows
			return rows.Close
		}},
		{"ent transaction", tracker.KindTx, func(a *app) func() error {
			tx, err := openEnt(a).Tx(a.ctx) // leak: ent transaction
			a.must(err)
			a.must(tx.Exec(a.ctx, "DELETE FROM book", []any{}, nil))
			return tx.Rollback
		}},
	},
}}

func openEnt(a *app) *entsql.Driver {
	d := dialect.MySQL
	if a.backend == pgxBackend {
		d = dialect.Postgres
	}
	return entsql.OpenDB(d, a.db)
}

func selectEnt(db *entsql.Driver) (query string, args []any) {
	return entsql.Dialect(db.Dialect()).Select("*").From(entsql.Table("book")).Where(entsql.GT("pages", 100)).OrderBy("id").Query()
}

func runEnt(a *app) {
	db := openEnt(a)
	a.must(db.Exec(a.ctx, makeBooks[0], []any{}, nil))
	tx, err := db.BeginTx(a.ctx, nil)
	a.must(err)
	query, args := entsql.Dialect(db.Dialect()).Insert("book").
		Columns("id", "title", "pages").
		Values(1, "Emma", 474).
		Values(2, "Ulysses", 730).
		Query()
	var res entsql.Result
	a.must(tx.Exec(a.ctx, query, args, &res))
	if n, err := res.RowsAffected(); n != 2 || err != nil {
		a.t.Errorf("%d rows inserted (%v)", n, err)
	}
	a.must(tx.Commit())
	// Variables of the session take a connection for themselves.
	if a.backend == mysqlBackend {
		ctx := entsql.WithVar(a.ctx, "@shelf", "classics")
		a.must(db.Exec(ctx, "UPDATE book SET title = title WHERE @shelf IS NULL", []any{}, nil))
	}
	var rows entsql.Rows
	query, args = selectEnt(db)
	a.must(db.Query(a.ctx, query, args, &rows))
	a.read(&rows, func() error {
		var b sqlxBook
		err := rows.Scan(&b.ID, &b.Title, &b.Pages)
		a.note(b.ID, b.Title, b.Pages)
		return err
	})
}
