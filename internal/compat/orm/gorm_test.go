package orm

import (
	"database/sql"
	"errors"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/dbleaks-go/dbleaks/tracker"
)

var gormPrograms = []program{{
	name: "gorm",
	on:   []*backend{mysqlBackend, pgxBackend},
	run:  func(a *app) { runGorm(a, openGorm(a, gorm.Config{})) },
	leaks: []leak{
		{"gorm rows", tracker.KindRows, func(a *app) func() error {
			db := openGorm(a, gorm.Config{})
			rows, err := db.Raw("SELECT id, title FROM book WHERE pages > ?", 100).Rows() // leak: gorm rows
			a.must(err)
			a.must(db.First(&gormBook{}).Error)
			return rows.Close
		}},
		{"gorm model rows", tracker.KindRows, func(a *app) func() error {
			rows, err := openGorm(a, gorm.Config{}).
				Model(&gormBook{}).
				Where("pages > ?", 100).
				Rows() // leak: gorm model rows
			a.must(err)
			if !rows.Next() {
				a.t.Error("no row")
			}
			return rows.Close
		}},
		{"gorm row", tracker.KindRow, func(a *app) func() error {
			row := openGorm(a, gorm.Config{}).Raw("SELECT title FROM book").Row() // leak: gorm row
			var title string
			return func() error { return row.Scan(&title) }
		}},
		{"gorm transaction", tracker.KindTx, func(a *app) func() error {
			tx := openGorm(a, gorm.Config{}).Begin() // leak: gorm transaction
			a.must(tx.Error)
			a.must(tx.Create(&gormBook{ID: 3, Title: "Sula", Pages: 174}).Error)
			return func() error { return tx.Rollback().Error }
		}},
		{"gorm connection", tracker.KindConn, func(a *app) func() error {
			db := openGorm(a, gorm.Config{})
			return a.halt(func(wait func()) error {
				return db.Connection(func(*gorm.DB) error { wait(); return nil }) // leak: gorm connection
			})
		}},
	},
}, {
	name:  "gorm with prepared statements",
	on:    []*backend{mysqlBackend, pgxBackend},
	run:   func(a *app) { runGorm(a, openGorm(a, gorm.Config{PrepareStmt: true})) },
	keeps: true,
	leaks: []leak{
		{"gorm statement", tracker.KindStmt, func(a *app) func() error {
			db := openGorm(a, gorm.Config{PrepareStmt: true})
			a.must(db.Find(&[]gormBook{}, "pages > ?", 100).Error) // leak: gorm statement
			cache, ok := db.ConnPool.(*gorm.PreparedStmtDB)
			if !ok {
				a.t.Fatalf("gorm prepares no statements: its pool is %T", db.ConnPool)
			}
			return func() error { cache.Close(); return nil }
		}},
	},
}, {
	name: "gorm given a DB",
	on:   []*backend{mysqlBackend, pgxBackend},
	run: func(a *app) {
		runGorm(a, gormOn(a, gorm.Config{}, a.db))
	},
}}

type gormBook struct {
	ID    int64 `gorm:"primaryKey;autoIncrement:false"`
	Title string
	Pages int
}

func (gormBook) TableName() string { return "book" }

// openGorm lets gorm open the DB.
func openGorm(a *app, c gorm.Config) *gorm.DB {
	db := gormOn(a, c, nil)
	own, err := db.DB()
	a.must(err)
	a.atEnd(own.Close)
	return db
}

// gormOn runs gorm on a DB, or, if that is nil, lets it open one.
func gormOn(a *app, c gorm.Config, on *sql.DB) *gorm.DB {
	a.t.Helper()
	c.Logger = logger.Discard
	var dialector gorm.Dialector
	// An interface that holds a nil DB is none.
	var pool gorm.ConnPool
	if on != nil {
		pool = on
	}
	switch a.backend {
	case mysqlBackend:
		dialector = mysql.New(mysql.Config{DriverName: a.driver, DSN: a.dsn, Conn: pool})
	case pgxBackend:
		dialector = postgres.New(postgres.Config{DriverName: a.driver, DSN: a.dsn, Conn: pool})
	}
	db, err := gorm.Open(dialector, &c)
	a.must(err)
	return db.WithContext(a.ctx)
}

func runGorm(a *app, db *gorm.DB) {
	a.must(db.AutoMigrate(&gormBook{}))
	a.must(db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&gormBook{ID: 1, Title: "Emma", Pages: 400}).Error; err != nil {
			return err
		}
		return tx.Transaction(func(tx *gorm.DB) error { // a savepoint
			return tx.Model(&gormBook{ID: 1}).Update("pages", 474).Error
		})
	}))
	undo := errors.New("undo")
	err := db.Transaction(func(tx *gorm.DB) error {
		return errors.Join(tx.Delete(&gormBook{ID: 1}).Error, undo)
	})
	if !errors.Is(err, undo) {
		a.t.Errorf("a transaction that is to be undone: %v", err)
	}
	a.must(db.Create(&gormBook{ID: 2, Title: "Ulysses", Pages: 730}).Error)
	var n int64
	a.must(db.Model(&gormBook{}).Count(&n).Error)
	rows, err := db.Model(&gormBook{}).Order("id").Limit(int(n)).Rows()
	a.must(err)
	a.read(rows, func() error {
		var b gormBook
		err := db.ScanRows(rows, &b)
		a.note(b.ID, b.Title, b.Pages)
		return err
	})
	if err := db.First(&gormBook{}, 7).Error; !errors.Is(err, gorm.ErrRecordNotFound) {
		a.t.Errorf("a book that isn't there: %v", err)
	}
}
