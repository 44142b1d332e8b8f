package orm

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// A constraint may roll a transaction back, or not. The driver tells.
func TestSqlite3Session(t *testing.T) {
	for text, dirty := range map[string]bool{
		"INSERT INTO book VALUES (1)":             true,
		"INSERT OR ROLLBACK INTO book VALUES (1)": false,
		"ROLLBACK":                    false,
		"SELECT nothing FROM nowhere": true,
	} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, err := tracker.New()
				if err != nil {
					t.Fatal(err)
				}
				db, err := driverwrap.Open(sqlite3Backend.driver, filepath.Join(t.TempDir(), "db"), driverwrap.WithTracker(tr))
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				for _, s := range []string{"CREATE TABLE book (id INTEGER PRIMARY KEY)", "INSERT INTO book VALUES (1)", "BEGIN"} {
					if _, err := db.Exec(s); err != nil {
						t.Fatal(err)
					}
				}
				_, _ = db.Exec(text) // fails, mostly
				time.Sleep(2 * time.Second)
				if found := tr.Snapshot().Findings; len(found) > 0 != dirty {
					t.Errorf("dirty: %v; findings: %v", !dirty, found)
				}
			})
		})
	}
}
