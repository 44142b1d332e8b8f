package orm

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/mattn/go-sqlite3"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// The driver that is linked with C code says in its own way that the database is
// locked, and asks for the first row only when it is wanted.
func TestRefusedLock(t *testing.T) {
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_busy_timeout=20&_synchronous=OFF"
	db, err := driverwrap.Open("sqlite3", dsn, driverwrap.WithTracker(tr))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range makeBooks {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	held, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if _, err := held.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	for i, use := range []func() error{
		func() error { _, err := db.Exec("DELETE FROM book"); return err },
		func() error {
			var n int
			return db.QueryRow("SELECT count(*) FROM book").Scan(&n)
		},
	} {
		var busy sqlite3.Error
		if err := use(); !errors.As(err, &busy) || busy.Code != sqlite3.ErrBusy {
			t.Errorf("%v", err)
		}
		r := tr.Snapshot().Refusals
		if len(r) != 1 || r[0].What != tracker.ResourceLock || r[0].Count != uint64(i+1) ||
			len(r[0].Holders) != 1 || r[0].Holders[0].Kind != tracker.KindConn {
			t.Errorf("%+v", r)
		}
	}
	if _, err := held.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Error(err)
	}
	var constraint sqlite3.Error
	if err := insertTwice(db); !errors.As(err, &constraint) || constraint.Code != sqlite3.ErrConstraint {
		t.Errorf("%v", err)
	}
	if r := tr.Snapshot().Refusals; len(r) != 1 || r[0].Count != 2 {
		t.Errorf("%+v", r)
	}
}

func insertTwice(db *sql.DB) error {
	_, err := db.Exec("INSERT INTO book VALUES (99, 'Emma', 400), (99, 'Emma', 400)")
	return err
}
