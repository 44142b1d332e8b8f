package orm

import (
	"xorm.io/xorm"
	"xorm.io/xorm/core"
	"xorm.io/xorm/dialects"
	xormlog "xorm.io/xorm/log"

	"github.com/dbleaks-go/dbleaks/tracker"
)

var xormPrograms = []program{{
	name: "xorm",
	on:   []*backend{mysqlBackend, pqBackend},
	run:  func(a *app) { runXorm(a, openXorm(a)) },
	leaks: []leak{
		{"xorm rows", tracker.KindRows, func(a *app) func() error {
			rows, err := openXorm(a).
				Where("pages > ?", 100).
				Rows(&xormBook{}) // leak: xorm rows
			a.must(err)
			return rows.Close
		}},
		{"xorm query", tracker.KindRows, func(a *app) func() error {
			rows, err := openXorm(a).DB().QueryContext(a.ctx, "SELECT * FROM book") // leak: xorm query
			a.must(err)
			return rows.Close
		}},
		{"xorm transaction", tracker.KindTx, func(a *app) func() error {
			s := openXorm(a).NewSession()
			a.must(s.Begin()) // leak: xorm transaction
			_, err := s.Insert(&xormBook{3, "Sula", 174})
			a.must(err)
			return s.Close
		}},
	},
}, {
	name: "xorm given a DB",
	on:   []*backend{mysqlBackend, pgxBackend},
	run: func(a *app) {
		e, err := xorm.NewEngineWithDB(a.backend.driver, a.dsn, core.FromDB(a.db))
		a.must(err)
		runXorm(a, e)
	},
}}

type xormBook struct {
	ID    int64 `xorm:"pk 'id'"`
	Title string
	Pages int
}

func (xormBook) TableName() string { return "book" }

// openXorm lets xorm open the DB.
func openXorm(a *app) *xorm.Engine {
	a.t.Helper()
	// It knows the dialect from the driver's name, and has to be told of new
	// names.
	if dialects.QueryDriver(a.driver) == nil {
		dialects.RegisterDriver(a.driver, dialects.QueryDriver(a.backend.driver))
	}
	e, err := xorm.NewEngine(a.driver, a.dsn)
	a.must(err)
	a.atEnd(e.Close)
	e.SetDefaultContext(a.ctx)
	e.SetLogLevel(xormlog.LOG_OFF)
	return e
}

func runXorm(a *app, e *xorm.Engine) {
	a.must(e.Sync(&xormBook{}))
	_, err := e.Transaction(func(s *xorm.Session) (any, error) {
		if _, err := s.Insert(&xormBook{1, "Emma", 400}, &xormBook{2, "Ulysses", 730}); err != nil {
			return nil, err
		}
		return s.ID(1).Cols("pages").Update(&xormBook{Pages: 474})
	})
	a.must(err)
	n, err := e.Prepare().Where("pages > ?", 100).Count(&xormBook{})
	a.must(err)
	rows, err := e.OrderBy("id").Rows(&xormBook{})
	a.must(err)
	a.read(rows, func() error {
		var b xormBook
		err := rows.Scan(&b)
		a.note(b.ID, b.Title, b.Pages)
		return err
	})
	seen := 0
	a.must(e.Iterate(&xormBook{}, func(int, any) error { seen++; return nil }))
	if seen != len(a.saw) || int(n) != seen {
		a.t.Errorf("%d books iterated, %d counted, %d one by one", seen, n, len(a.saw))
	}
}
