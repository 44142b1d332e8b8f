package compat

import (
	"database/sql"
	"errors"
	"testing"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// A function of the driver's takes a *sql.Conn and knows its own connections
// only.
func TestBareConnForADriversFunction(t *testing.T) {
	watch, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	db, err := driverwrap.Open("sqlite", t.TempDir()+"/test.db", driverwrap.WithTracker(watch))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const limit = 1000
	if _, err := sqlite.Limit(conn, sqlite3.SQLITE_LIMIT_SQL_LENGTH, limit); err == nil {
		t.Error("the function knows wrapped connections")
	}
	for _, want := range []int{1e9, limit} { // the one before
		err := driverwrap.Bare(conn, func(bare *sql.Conn) error {
			got, err := sqlite.Limit(bare, sqlite3.SQLITE_LIMIT_SQL_LENGTH, limit)
			if got != want {
				t.Errorf("the limit was %d, want %d", got, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if p := watch.Snapshot().Pools; len(p) != 1 || p[0].Open[tracker.KindConn] != 1 {
		t.Errorf("the connection is held, not %+v", p)
	}
	if err := errors.Join(conn.Close(), db.Close()); err != nil {
		t.Error(err)
	}
	watch.AssertNoLeaks(t, tracker.IncludeDBs())
}
