package driverwrap_test

import (
	"database/sql"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// BenchmarkCost compares the wrapped driver with the bare one, on a driver
// that does nothing and under a caller thirty frames deep: the ratio of two
// lines is what recording costs where the database costs nothing.
func BenchmarkCost(b *testing.B) {
	tr, err := tracker.New()
	if err != nil {
		b.Fatal(err)
	}
	for _, op := range []struct {
		name string
		run  func(db *sql.DB) error
	}{
		{"Query", func(db *sql.DB) error {
			rows, err := db.Query("rows 1")
			if err != nil {
				return err
			}
			rows.Next()
			return rows.Close()
		}},
		{"QueryRow", func(db *sql.DB) error { var n int; return db.QueryRow("rows 1").Scan(&n) }},
		{"Exec", func(db *sql.DB) error { _, err := db.Exec("update"); return err }},
		{"BeginCommit", func(db *sql.DB) error {
			tx, err := db.Begin()
			if err != nil {
				return err
			}
			return tx.Commit()
		}},
		{"PrepareClose", func(db *sql.DB) error {
			stmt, err := db.Prepare("select")
			if err != nil {
				return err
			}
			return stmt.Close()
		}},
		{"Scan1000Rows", func(db *sql.DB) error {
			rows, err := db.Query("rows 1000")
			if err != nil {
				return err
			}
			for n := 0; rows.Next(); {
				if err := rows.Scan(&n); err != nil {
					return err
				}
			}
			return rows.Close()
		}},
	} {
		for _, driver := range []struct {
			name string
			open func() *sql.DB
		}{
			{"bare", func() *sql.DB { return sql.OpenDB(&nopdriver.Connector{}) }},
			{"wrapped", func() *sql.DB {
				return driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr))
			}},
		} {
			b.Run(op.name+"/"+driver.name, func(b *testing.B) {
				db := driver.open()
				defer db.Close()
				b.ReportAllocs()
				atDepth(30, func() {
					for b.Loop() {
						if err := op.run(db); err != nil {
							b.Fatal(err)
						}
					}
				})
			})
		}
	}
}

//go:noinline
func atDepth(n int, f func()) {
	if n > 0 {
		atDepth(n-1, f)
		return
	}
	f()
}
