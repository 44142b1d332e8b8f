package compat

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// waiter asks for a connection while there is none, does something with the
// one that it gets, and gives it back.
type waiter struct {
	name string // of the marked line, which is where the handle was opened
	kind tracker.Kind
	// open opens the handle and returns how to close it. stmt was prepared
	// before.
	open func(a *app, stmt *sql.Stmt) (func() error, error)
}

var waiters = []waiter{
	{"waiter for rows", tracker.KindRows, func(a *app, _ *sql.Stmt) (func() error, error) {
		rows, err := a.db.Query("SELECT id FROM item") // place: waiter for rows
		return rows.Close, err
	}},
	{"waiter for rows with arguments", tracker.KindRows, func(a *app, _ *sql.Stmt) (func() error, error) {
		rows, err := a.db.Query(a.bind("SELECT id FROM item WHERE id > ?"), 1) // place: waiter for rows with arguments
		return rows.Close, err
	}},
	{"waiter for rows of a statement", tracker.KindRows, func(_ *app, stmt *sql.Stmt) (func() error, error) {
		rows, err := stmt.Query(1) // place: waiter for rows of a statement
		return rows.Close, err
	}},
	{"waiter for a row", tracker.KindRow, func(a *app, _ *sql.Stmt) (func() error, error) {
		row := a.db.QueryRow("SELECT id FROM item") // place: waiter for a row
		return func() error { return row.Scan(new(int)) }, row.Err()
	}},
	{"waiter for a transaction", tracker.KindTx, func(a *app, _ *sql.Stmt) (func() error, error) {
		tx, err := a.db.Begin() // place: waiter for a transaction
		return tx.Rollback, err
	}},
	{"waiter for a connection", tracker.KindConn, func(a *app, _ *sql.Stmt) (func() error, error) {
		conn, err := a.db.Conn(a.ctx)
		if err != nil {
			return nil, err
		}
		// The driver sees no more of this than what comes first.
		return conn.Close, conn.PingContext(a.ctx) // place: waiter for a connection
	}},
}

// Who waits gets a connection that the pool opened on a goroutine of its own.
// It is idle if the waiter has gone, and else as good as any other: the handle
// is the waiter's, who is named.
func TestWaiters(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, w := range waiters {
			t.Run(w.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { w.test(newApp(t, b)) })
			})
		}
		t.Run("gone", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { testWaiterGone(newApp(t, b)) })
		})
	})
}

func (w waiter) test(a *app) {
	a.t.Helper()
	stmt, err := a.db.Prepare(a.bind("SELECT name FROM item WHERE id = ?"))
	a.must(err)
	a.db.SetMaxOpenConns(1)
	held, err := a.db.Conn(a.ctx)
	a.must(err)
	opened, closing := make(chan struct{}), make(chan struct{})
	a.spawn(func() error {
		closeIt, err := w.open(a, stmt)
		close(opened)
		if err != nil {
			return err
		}
		<-closing
		return closeIt()
	})
	synctest.Wait()
	if n := a.db.Stats().WaitCount; n != 1 {
		a.t.Fatalf("%d goroutines waited, want 1", n)
	}
	a.must(breakConn(held))
	<-opened
	a.wantOpen(w.kind, w.name)
	if p, s := a.pool(), a.db.Stats(); p.InUse != 1 || p.Idle != 0 || s.InUse != 1 || p.Open[w.kind] != 1 {
		a.t.Errorf("%d connections in use, %d idle, open %v; database/sql counts %d in use", p.InUse, p.Idle, p.Open, s.InUse)
	}
	close(closing)
	a.tasks.Wait()
	a.must(stmt.Close())
	a.stays(time.Hour)
	a.verify()
}

// breakConn gives a connection back as broken.
func breakConn(c *sql.Conn) error {
	err := c.Raw(func(any) error { return driver.ErrBadConn })
	if !errors.Is(err, driver.ErrBadConn) {
		return errors.Join(errors.New("a broken connection is accepted"), err)
	}
	return nil
}

// testWaiterGone: a waiter gives up while the pool connects for it.
func testWaiterGone(a *app) {
	held, err := a.db.Conn(a.ctx)
	a.must(err)
	a.db.SetMaxOpenConns(1)
	connecting, connect := make(chan struct{}), make(chan struct{})
	a.conns.connecting = func() {
		close(connecting)
		<-connect
	}
	ctx, cancel := context.WithCancel(a.ctx)
	a.spawn(func() error {
		_, err := a.db.ExecContext(ctx, "SELECT 1")
		return onlyCanceled(err)
	})
	synctest.Wait()
	a.must(breakConn(held))
	<-connecting
	cancel()
	a.tasks.Wait()
	close(connect)
	eventually(a.t, "a connection is parked", func() bool { return a.db.Stats().Idle == 1 })
	a.stays(time.Hour)
	a.wantQuiet()

	// The driver isn't told when it is handed out.
	a.conns.connecting = nil
	rows, err := a.db.Query("SELECT id FROM item") // place: rows on a parked connection
	a.must(err)
	a.wantOpen(tracker.KindRows, "rows on a parked connection")
	a.must(rows.Close())
	a.verify()
}
