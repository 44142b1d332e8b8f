package compat

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// What is open keeps others from writing, whatever they do it with.
func TestRefusedLock(t *testing.T) {
	const update = "UPDATE item SET price = price"
	writers := map[string]func(db *sql.DB) error{
		"exec": func(db *sql.DB) error { _, err := db.Exec(update); return err },
		"statement": func(db *sql.DB) error {
			stmt, err := db.Prepare(update)
			if err != nil {
				return err
			}
			defer stmt.Close()
			_, err = stmt.Exec()
			return err
		},
		"commit": func(db *sql.DB) error {
			tx, err := db.Begin()
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.Exec(update); err != nil {
				return err
			}
			return tx.Commit()
		},
	}
	for name, write := range writers {
		t.Run("rows against "+name, func(t *testing.T) {
			h := newHungry(t, sqliteBackend, journal(t))
			db := h.open()
			rows, err := db.Query("SELECT id FROM item") // place: reads on
			if err != nil {
				t.Fatal(err)
			}
			r := h.wantRefusal(tracker.ResourceLock, "SQLite 5", write(db), h.bare(write))
			h.wantHolder(r, 0, tracker.KindRows, "reads on", 1)
			if len(r.Holders) != 1 || r.Count != 1 || !strings.Contains(r.Advice, "close them") {
				t.Errorf("%+v", r)
			}
			if err := rows.Close(); err != nil {
				t.Error(err)
			}
			if err := write(db); err != nil {
				t.Error(err)
			}
		})
		t.Run("transaction against "+name, func(t *testing.T) {
			h := newHungry(t, sqliteBackend, sqliteBackend.dsn(t)+"&_pragma=busy_timeout(20)")
			db := h.open()
			tx, err := db.Begin() // place: writes on
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			if _, err := tx.Exec(update); err != nil {
				t.Fatal(err)
			}
			r := h.wantRefusal(tracker.ResourceLock, "SQLite 5", write(db), h.bare(write))
			h.wantHolder(r, 0, tracker.KindTx, "writes on", 1)
			if len(r.Holders) != 1 || r.Count != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Errors that mean something else, and readers in WAL mode.
func TestRefusedLookalikes(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		a := newApp(t, b)
		for _, use := range []func(db *sql.DB) error{
			func(db *sql.DB) error { _, err := db.Exec("INSERT INTO item VALUES (1, 'twice', 1)"); return err },
			func(db *sql.DB) error { _, err := db.Query("SELECT FROM WHERE"); return err },
			func(db *sql.DB) error { _, err := db.Prepare("SELECT * FROM nowhere"); return err },
			func(db *sql.DB) error {
				ctx, cancel := context.WithCancel(a.ctx)
				cancel()
				return db.PingContext(ctx)
			},
		} {
			if err := use(a.db); err == nil {
				t.Error("no error")
			}
		}
		rows, err := a.db.Query("SELECT id FROM item")
		a.must(err)
		_, err = a.db.Exec("UPDATE item SET price = price WHERE id = 1")
		a.must(err)
		a.must(rows.Close())
		if s := a.tracker.Snapshot().Refusals; len(s) > 0 {
			t.Errorf("%+v", s)
		}
		a.verify()
	})
	for b, dsn := range map[*backend]string{
		mysqlBackend: "app@tcp(127.0.0.1:1)/shop", pgxBackend: "postgres://127.0.0.1:1/shop", pqBackend: "postgres://127.0.0.1:1/shop?sslmode=disable",
	} {
		t.Run("no server for "+b.name, func(t *testing.T) {
			h := newHungry(t, b, dsn)
			if err := h.open().Ping(); err == nil {
				t.Error("no error")
			}
			if s := h.tracker.Snapshot().Refusals; len(s) > 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// What the connector says is what the caller gets, the very same value.
func TestRefusedErrorIsTheDrivers(t *testing.T) {
	full := &mysql.MySQLError{Number: 1040, Message: "Too many connections"}
	db := driverwrap.OpenDB(failing{err: full}, driverwrap.WithTracker(newHungry(t, mysqlBackend, "").tracker))
	defer db.Close()
	if err := db.Ping(); err != error(full) {
		t.Errorf("%v", err)
	}
}

// failing is a connector to which the server says no.
type failing struct{ err error }

func (f failing) Connect(context.Context) (driver.Conn, error) { return nil, f.err }
func (f failing) Driver() driver.Driver                        { return mysql.MySQLDriver{} }
