package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// victim is what a program does when the server ends its session. Errors are
// what it expects; it gives back what it has.
type victim struct {
	name string
	hit  func(a *app, kill func(*sql.Conn)) error
}

var victims = []victim{
	{"idle connection", func(a *app, kill func(*sql.Conn)) error {
		conn, err := a.db.Conn(a.ctx)
		if err != nil {
			return err
		}
		kill(conn)
		return conn.Close()
	}},
	{"connection", func(a *app, kill func(*sql.Conn)) error {
		conn, err := a.db.Conn(a.ctx)
		if err != nil {
			return err
		}
		kill(conn)
		if _, err := conn.ExecContext(a.ctx, "SELECT 1"); err == nil {
			return errors.New("the connection still works")
		}
		if err := conn.Close(); !errors.Is(err, sql.ErrConnDone) { // some drivers say ErrBadConn, which closes it
			return err
		}
		return nil
	}},
	{"rows", func(a *app, kill func(*sql.Conn)) error {
		conn, err := a.db.Conn(a.ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		kill(conn)
		rows, err := conn.QueryContext(a.ctx, "SELECT id FROM item")
		if err != nil {
			return nil
		}
		for rows.Next() {
		}
		if rows.Err() == nil {
			return errors.New("the rows came through")
		}
		return nil
	}},
	{"transaction", func(a *app, kill func(*sql.Conn)) error {
		conn, err := a.db.Conn(a.ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		tx, err := conn.BeginTx(a.ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		kill(conn)
		if _, err := tx.Exec("UPDATE item SET price = price"); err == nil {
			return errors.New("the transaction goes on")
		}
		return nil
	}},
	{"transaction that commits", func(a *app, kill func(*sql.Conn)) error {
		conn, err := a.db.Conn(a.ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		tx, err := conn.BeginTx(a.ctx, nil)
		if err != nil {
			return err
		}
		kill(conn)
		if err := tx.Commit(); err == nil {
			return errors.New("the transaction is committed")
		}
		return nil
	}},
	{"statement", func(a *app, kill func(*sql.Conn)) error {
		conn, err := a.db.Conn(a.ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		stmt, err := conn.PrepareContext(a.ctx, a.bind("SELECT name FROM item WHERE id = ?"))
		if err != nil {
			return err
		}
		kill(conn)
		if err := stmt.QueryRow(1).Scan(new(string)); err == nil {
			return errors.New("the statement still works")
		}
		stmt.Close() // an error, with some drivers
		return nil
	}},
}

// A program whose session the server kills finds out, goes on, and leaves
// nothing behind.
func TestKilledSessions(t *testing.T) {
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		for _, v := range victims {
			t.Run(v.name, func(t *testing.T) {
				t.Parallel()
				a := newApp(t, b)
				stmt, err := a.db.Prepare(a.bind("SELECT name FROM item WHERE id = ?"))
				a.must(err)
				a.must(v.hit(a, a.kill))
				eventually(t, "the pool recovers", func() bool {
					return stmt.QueryRow(1).Scan(new(string)) == nil
				})
				a.wantSilence()
				a.wantStatement()
				a.must(stmt.Close())
				a.verify()
			})
		}
	})
}

// wantStatement: one statement of the program is open, however many
// connections it was prepared on, and wherever they are now.
func (a *app) wantStatement() {
	a.t.Helper()
	var test fakeTB
	a.tracker.AssertNoLeaks(&test, tracker.Grace(0))
	if !strings.HasPrefix(test.log, "dbleaks: 1 handle was not given back\n") || !strings.Contains(test.log, "stmt LEAKED") {
		a.t.Errorf("want 1 statement open, the assertion says:\n%s", test.log)
	}
}

// kill ends a connection's session from another one and waits until the
// server has done so.
func (a *app) kill(c *sql.Conn) {
	a.t.Helper()
	var id int
	a.must(c.QueryRowContext(a.ctx, a.session).Scan(&id))
	a.killSession(id)
}

func (a *app) killSession(id int) {
	a.t.Helper()
	admin, err := sql.Open(a.driver, servers[a.server].AdminDSN)
	a.must(err)
	defer admin.Close()
	ctx := context.WithoutCancel(a.ctx)
	_, err = admin.ExecContext(ctx, fmt.Sprintf(a.backend.kill, id))
	a.must(err)
	// Between two looks it is the server that waits: in a bubble, where pauses take
	// no real time, the seconds that they seem to take would count against the
	// tracker. A minute's worth of looks is patience enough.
	for range 3000 {
		var n int
		a.must(admin.QueryRowContext(ctx, fmt.Sprintf(a.alive, id)).Scan(&n))
		if n == 0 {
			return
		}
		_, err := admin.ExecContext(ctx, a.slow(20*time.Millisecond))
		a.must(err)
	}
	a.t.Fatal("the session is not gone after a minute")
}
