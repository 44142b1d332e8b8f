package driverwrap_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// sessionDriver is a driver that is known by its name only, and keeps no word of
// a server's.
type sessionDriver struct{ connector *nopdriver.Connector }

func (d sessionDriver) Open(string) (driver.Conn, error) {
	return d.connector.Connect(context.Background())
}

// sessionFault fails one kind of driver call, while it is set.
var sessionFault struct {
	call string
	err  error
}

func init() {
	before := func(_ context.Context, call, _ string) error {
		if call == sessionFault.call {
			return sessionFault.err
		}
		return nil
	}
	sql.Register("nop-postgres", sessionDriver{&nopdriver.Connector{Before: before}})
	sql.Register("nop-mysql", sessionDriver{&nopdriver.Connector{Before: before}})
	sql.Register("nop", sessionDriver{&nopdriver.Connector{Before: before}})
}

// mysqlError is one of a driver that has the server's state in a field.
type mysqlError struct{ SQLState [5]byte }

func (mysqlError) Error() string { return "of the server" }

var (
	errDeadlock  = mysqlError{[5]byte([]byte("40001"))}
	errDuplicate = mysqlError{[5]byte([]byte("23000"))}
)

// TestSessions runs statements on a Conn and gives it back. The texts alone, and
// what became of them, say whether it is dirty.
func TestSessions(t *testing.T) {
	texts := func(texts ...string) func(*sql.Conn) {
		return func(c *sql.Conn) {
			for _, text := range texts {
				c.ExecContext(ctx, text)
			}
		}
	}
	// failing makes one call of the driver fail while f runs.
	failing := func(call string, err error, f func(*sql.Conn)) func(*sql.Conn) {
		return func(c *sql.Conn) {
			sessionFault.call, sessionFault.err = call, err
			defer func() { sessionFault.call = "" }()
			f(c)
		}
	}
	query := func(c *sql.Conn) {
		rows, err := c.QueryContext(ctx, "SELECT n FROM t FOR UPDATE")
		if err == nil {
			rows.Next()
			rows.Close()
		}
	}
	prepared := func(text string) func(*sql.Conn) {
		return func(c *sql.Conn) {
			stmt, _ := c.PrepareContext(ctx, text)
			stmt.Exec()
			stmt.Close()
		}
	}
	inTx := func(text string, end func(*sql.Tx) error) func(*sql.Conn) {
		return func(c *sql.Conn) {
			tx, _ := c.BeginTx(ctx, nil)
			tx.Exec(text)
			end(tx)
		}
	}
	commit, rollback := (*sql.Tx).Commit, (*sql.Tx).Rollback
	for _, tt := range []struct {
		name, driver string
		run          []func(*sql.Conn)
		dirty        bool
	}{
		{"begun", "nop-mysql", []func(*sql.Conn){texts("BEGIN")}, true},
		{"begun by a prepared statement", "nop-mysql", []func(*sql.Conn){prepared("BEGIN")}, true},
		{"ended", "nop-mysql", []func(*sql.Conn){texts("BEGIN", "COMMIT")}, false},
		{"ended by a prepared statement", "nop-mysql", []func(*sql.Conn){texts("BEGIN"), prepared("COMMIT")}, false},
		{"in no dialect that is known", "nop", []func(*sql.Conn){texts("BEGIN")}, false},
		{"not begun", "nop-mysql", []func(*sql.Conn){failing("exec", errDuplicate, texts("BEGIN"))}, false},
		{"skipped", "nop-mysql", []func(*sql.Conn){failing("exec", driver.ErrSkip, texts("BEGIN"))}, false},
		{"going on past a skip", "nop-mysql", []func(*sql.Conn){texts("BEGIN"), failing("exec", driver.ErrSkip, texts("INSERT"))}, true},
		{"not ended for certain", "nop-mysql", []func(*sql.Conn){texts("BEGIN"), failing("exec", errDuplicate, texts("COMMIT"))}, false},
		{"surviving an error", "nop-mysql", []func(*sql.Conn){texts("BEGIN"), failing("exec", errDuplicate, texts("INSERT"))}, true},
		{"surviving an error of a query", "nop-mysql", []func(*sql.Conn){texts("BEGIN"), failing("query", errDuplicate, query)}, true},
		{"rolled back by an error", "nop-mysql", []func(*sql.Conn){texts("BEGIN"), failing("exec", errDeadlock, texts("INSERT"))}, false},
		{"rolled back by an error that is wrapped", "nop-mysql", []func(*sql.Conn){texts("BEGIN"), failing("exec", errors.Join(errDuplicate), texts("INSERT"))}, false},
		{"rolled back by an error of a query", "nop-mysql", []func(*sql.Conn){texts("BEGIN"), failing("query", errDeadlock, query)}, false},
		{"rolled back by an error of a row", "nop-mysql", []func(*sql.Conn){texts("BEGIN"), failing("next", errDeadlock, query)}, false},
		{"aborted by an error", "nop-postgres", []func(*sql.Conn){texts("BEGIN"), failing("next", errDeadlock, query)}, true},
		{"ended by a Tx", "nop-postgres", []func(*sql.Conn){texts("BEGIN"), inTx("SELECT 1", commit)}, false},
		{"begun in a Tx that is committed", "nop-mysql", []func(*sql.Conn){inTx("BEGIN", commit)}, false},
		{"begun in a Tx that is rolled back", "nop-mysql", []func(*sql.Conn){inTx("BEGIN", rollback)}, false},
		{"set in a Tx that is committed", "nop-postgres", []func(*sql.Conn){inTx("SET ROLE a", commit)}, true},
		{"set in a Tx that is rolled back", "nop-postgres", []func(*sql.Conn){inTx("SET ROLE a", rollback)}, false},
		{"locked in a Tx that is rolled back", "nop-postgres", []func(*sql.Conn){inTx("SELECT pg_advisory_lock(1)", rollback)}, true},
		{"unlocked by a Tx", "nop-mysql", []func(*sql.Conn){texts("LOCK TABLES t READ"), inTx("SELECT 1", commit)}, false},
		{"lock of a query whose row is an error", "nop-postgres", []func(*sql.Conn){failing("next", errDeadlock, func(c *sql.Conn) {
			c.QueryRowContext(ctx, "SELECT pg_advisory_lock(1)").Scan(new(any))
		})}, false},
		{"lock of a query", "nop-postgres", []func(*sql.Conn){func(c *sql.Conn) {
			c.QueryRowContext(ctx, "SELECT pg_advisory_lock(1)").Scan(new(any))
		}}, true},
		{"unwrapped", "nop-postgres", []func(*sql.Conn){texts("BEGIN", "SET ROLE a"), func(c *sql.Conn) {
			c.Raw(func(dc any) error { driverwrap.Unwrap(dc); return nil })
		}}, false},
		{"bare", "nop-postgres", []func(*sql.Conn){texts("BEGIN", "SET ROLE a"), func(c *sql.Conn) {
			driverwrap.Bare(c, func(*sql.Conn) error { return nil })
		}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, err := tracker.New(tracker.WithSessionChecks(tracker.DefaultSessionChecks | tracker.SessionSettings))
				if err != nil {
					t.Fatal(err)
				}
				db, err := driverwrap.Open(tt.driver, "", driverwrap.WithTracker(tr))
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				c, err := db.Conn(ctx)
				if err != nil {
					t.Fatal(err)
				}
				for _, run := range tt.run {
					run(c)
				}
				if tr.Snapshot().Pools[0].Open[tracker.KindSession] > 0 {
					t.Error("dirty while somebody has it")
				}
				c.Close()
				time.Sleep(2 * time.Second)
				if found := tr.Snapshot().Findings; len(found) > 0 != tt.dirty {
					t.Errorf("dirty: %v; findings: %v", !tt.dirty, found)
				}
			})
		})
	}
}

// settingConnector wraps the wrapper, to have every connection set up alike, when
// it is made and whenever it leaves the pool.
type settingConnector struct{ driver.Connector }

func (c settingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return settingConn{conn}, settingConn{conn}.ResetSession(ctx)
}

type settingConn struct{ driver.Conn }

func (c settingConn) ResetSession(ctx context.Context) error {
	if err := c.Conn.(driver.SessionResetter).ResetSession(ctx); err != nil {
		return err
	}
	_, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, "SET autocommit = 0", nil)
	return err
}

func (c settingConn) IsValid() bool { return c.Conn.(driver.Validator).IsValid() }

// mysqlConnector has a driver whose name tells the dialect.
type mysqlConnector struct{ nopdriver.Connector }

type mysqlDriver struct{ driver.Driver }

func (c *mysqlConnector) Driver() driver.Driver { return mysqlDriver{} }

// What a connector does to all connections is as it is to be.
func TestSessionsSetUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, err := tracker.New()
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(settingConnector{driverwrap.WrapConnector(&mysqlConnector{}, driverwrap.WithTracker(tr))})
		defer db.Close()
		for range 2 {
			if err := db.Ping(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if found := tr.Snapshot().Findings; len(found) > 0 {
			t.Errorf("findings: %v", found)
		}
		conn, err := db.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		time.Sleep(time.Minute)
		if found := tr.Snapshot().Findings; len(found) != 1 || found[0].Query != "BEGIN" {
			t.Errorf("after a BEGIN: findings: %v", found)
		}
	})
}

// Everyday statements cost no allocation.
func TestSessionsAllocateNothing(t *testing.T) {
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	db := driverwrap.OpenDB(&mysqlConnector{}, driverwrap.WithTracker(tr))
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, text := range []string{"UPDATE item SET n = 0", "-- name: Drop :exec\nDELETE FROM item", "SELECT price FROM item"} {
		err := conn.Raw(func(dc any) error {
			n := testing.AllocsPerRun(100, func() {
				if _, err := dc.(driver.ExecerContext).ExecContext(ctx, text, nil); err != nil {
					t.Error(err)
				}
			})
			if n != 0 {
				t.Errorf("%v allocations to run %q", n, text)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
