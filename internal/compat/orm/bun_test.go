package orm

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/dbleaks-go/dbleaks/tracker"
)

var bunPrograms = []program{{
	name: "bun",
	on:   []*backend{mysqlBackend, pgxBackend},
	run:  runBun,
	leaks: []leak{
		{"bun rows", tracker.KindRows, func(a *app) func() error {
			rows, err := openBun(a).NewSelect().
				Model((*bunBook)(nil)).
				Where("pages > ?", 100).
				Rows(a.ctx) // leak: bun rows
			a.must(err)
			return rows.Close
		}},
		{"bun query", tracker.KindRows, func(a *app) func() error {
			rows, err := openBun(a).QueryContext(a.ctx, "SELECT * FROM book WHERE pages > ?", 100) // leak: bun query
			a.must(err)
			return rows.Close
		}},
		{"bun transaction", tracker.KindTx, func(a *app) func() error {
			tx, err := openBun(a).BeginTx(a.ctx, nil) // leak: bun transaction
			a.must(err)
			_, err = tx.NewDelete().Model(&bunBook{ID: 1}).WherePK().Exec(a.ctx)
			a.must(err)
			return tx.Rollback
		}},
		{"bun connection", tracker.KindConn, func(a *app) func() error {
			conn, err := openBun(a).Conn(a.ctx) // leak: bun connection
			a.must(err)
			_, err = conn.NewSelect().Model((*bunBook)(nil)).Count(a.ctx)
			a.must(err)
			return conn.Close
		}},
	},
}}

type bunBook struct {
	bun.BaseModel `bun:"table:book"`

	ID    int64 `bun:",pk"`
	Title string
	Pages int
}

func openBun(a *app) *bun.DB {
	var dialect schema.Dialect = mysqldialect.New()
	if a.backend == pgxBackend {
		dialect = pgdialect.New()
	}
	return bun.NewDB(a.db, dialect)
}

func runBun(a *app) {
	db := openBun(a)
	_, err := db.NewCreateTable().Model((*bunBook)(nil)).Exec(a.ctx)
	a.must(err)
	a.must(db.RunInTx(a.ctx, &sql.TxOptions{Isolation: sql.LevelSerializable}, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&[]bunBook{
			{ID: 1, Title: "Emma", Pages: 400},
			{ID: 2, Title: "Ulysses", Pages: 730},
		}).Exec(ctx)
		return err
	}))
	_, err = db.NewUpdate().Model(&bunBook{ID: 1, Pages: 474}).Column("pages").WherePK().Exec(a.ctx)
	a.must(err)
	rows, err := db.NewSelect().Model((*bunBook)(nil)).Order("id").Rows(a.ctx)
	a.must(err)
	a.read(rows, func() error {
		var b bunBook
		err := db.ScanRow(a.ctx, rows, &b)
		a.note(b.ID, b.Title, b.Pages)
		return err
	})
	var all []bunBook
	n, err := db.NewSelect().Model(&all).ScanAndCount(a.ctx)
	a.must(err)
	if int(n) != len(a.saw) || len(all) != int(n) {
		a.t.Errorf("%d books at once, %d counted, %d one by one", len(all), n, len(a.saw))
	}
}
