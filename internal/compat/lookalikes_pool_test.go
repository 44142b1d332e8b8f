package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

var poolLookalikes = []lookalike{
	{name: "statement on many connections", run: statementOnMany},
	{name: "statement closed while busy", run: closedWhileBusy},
	{name: "conn put to many uses", run: connOfManyUses},
	{name: "idle connections", run: idleConnections},
	{name: "lifetime expiry", run: lifetimeExpiry},
	{name: "idle eviction", run: idleEviction},
	{name: "db closed over rows, finished later", run: finishedLater},
	{name: "held on purpose", run: heldOnPurpose},
	{name: "db of the process", run: processDB},
	{name: "two wrappers", run: twoWrappers},
}

// statementOnMany uses one statement on three connections at a time, on two of
// which database/sql has to prepare it again.
func statementOnMany(a *app) error {
	stmt, err := a.db.Prepare(a.bind("SELECT id FROM item WHERE id > ?"))
	if err != nil {
		return err
	}
	var open []*sql.Rows
	for i := range 3 {
		rows, err := stmt.Query(i)
		if err != nil {
			return err
		}
		open = append(open, rows)
	}
	if p := a.pool(); p.Open[tracker.KindStmt] != 1 || p.Open[tracker.KindRows] != 3 || p.InUse != 3 {
		a.t.Errorf("open %v on %d connections, want 1 stmt and 3 rows on 3", p.Open, p.InUse)
	}
	for _, rows := range open {
		err = errors.Join(err, rows.Close())
	}
	a.stays(time.Hour)
	if n := a.open(tracker.KindStmt); n != 1 {
		a.t.Errorf("%d statements open, want 1", n)
	}
	return errors.Join(err, stmt.Close())
}

// closedWhileBusy closes a statement that has rows: the driver hears of it
// when the rows are closed.
func closedWhileBusy(a *app) error {
	stmt, err := a.db.Prepare("SELECT id FROM item")
	if err != nil {
		return err
	}
	rows, err := stmt.Query()
	if err != nil {
		return err
	}
	rows.Next()
	return errors.Join(stmt.Close(), rows.Close())
}

// connOfManyUses holds a connection that was idle before, and gives back all
// that it opens on it.
func connOfManyUses(a *app) error {
	if err := a.db.Ping(); err != nil {
		return err
	}
	conn, err := a.db.Conn(a.ctx) // place: conn put to many uses
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, use := range []func() error{
		func() error { return nil },
		func() error { return count(conn.QueryContext(a.ctx, "SELECT id FROM item")) },
		func() error {
			stmt, err := conn.PrepareContext(a.ctx, "SELECT id FROM item")
			if err != nil {
				return err
			}
			return errors.Join(count(stmt.Query()), stmt.Close())
		},
		func() error {
			tx, err := conn.BeginTx(a.ctx, nil)
			if err != nil {
				return err
			}
			return tx.Commit()
		},
		func() error {
			tx, err := conn.BeginTx(a.ctx, nil)
			if err != nil {
				return err
			}
			return tx.Rollback()
		},
	} {
		if err := use(); err != nil {
			return err
		}
		f := a.wantOpen(tracker.KindConn, "conn put to many uses")
		if open := a.pool().Open; len(f.Children) > 0 || open[tracker.KindRows]+open[tracker.KindTx]+open[tracker.KindStmt] > 0 {
			return fmt.Errorf("open on the connection: %v, %+v", open, f.Children)
		}
		time.Sleep(tracker.DefaultThreshold / 2)
	}
	return nil
}

func idleConnections(a *app) error {
	a.db.SetMaxIdleConns(3)
	var conns []*sql.Conn
	for range 3 {
		c, err := a.db.Conn(a.ctx)
		if err != nil {
			return err
		}
		conns = append(conns, c)
	}
	for _, c := range conns {
		if err := c.Close(); err != nil {
			return err
		}
	}
	a.stays(time.Hour)
	if p := a.pool(); p.Idle != 3 || p.InUse != 0 {
		a.t.Errorf("%d connections idle, %d in use; want 3 and none", p.Idle, p.InUse)
	}
	return nil
}

func lifetimeExpiry(a *app) error {
	a.db.SetConnMaxLifetime(time.Minute)
	return usedNowAndThen(a)
}

func idleEviction(a *app) error {
	a.db.SetConnMaxIdleTime(time.Minute)
	return usedNowAndThen(a)
}

// usedNowAndThen prepares a statement, so that something goes down with the
// connection, and asks again when the connection is gone.
func usedNowAndThen(a *app) error {
	stmt, err := a.db.Prepare(a.bind("SELECT name FROM item WHERE id = ?"))
	if err != nil {
		return err
	}
	defer stmt.Close()
	for i := range 3 {
		var name string
		if err := stmt.QueryRow(1).Scan(&name); err != nil {
			return err
		}
		a.stays(10 * time.Minute)
		if p := a.pool(); p.Idle+p.InUse != 0 || p.Open[tracker.KindStmt] != 0 {
			return fmt.Errorf("round %d: connections left: %+v", i, p)
		}
	}
	return nil
}

func finishedLater(a *app) error {
	rows, err := a.db.Query("SELECT id FROM item")
	if err != nil {
		return err
	}
	if err := a.db.Close(); err != nil {
		return err
	}
	time.Sleep(tracker.DefaultThreshold / 2)
	if p := a.pool(); !p.Closed || p.InUse != 1 {
		a.t.Errorf("pool %+v, want it closed with a connection in use", p)
	}
	for rows.Next() {
	}
	return rows.Err()
}

// heldOnPurpose says why it keeps what it keeps: a report lists it, and nobody
// is alarmed.
func heldOnPurpose(a *app) error {
	ctx := tracker.LongLived(a.ctx, "holds the lock")
	conn, err := a.db.Conn(ctx) // place: held on purpose
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "SELECT 1"); err != nil {
		return err
	}
	a.stays(24 * time.Hour)
	f := a.wantOpen(tracker.KindConn, "held on purpose")
	if f.LongLived != "holds the lock" {
		a.t.Errorf("the reason is %q", f.LongLived)
	}
	a.tracker.AssertNoLeaks(a.t)
	return conn.Close()
}

// processDB is open when a test ends, as it should.
func processDB(a *app) error {
	if err := a.db.PingContext(a.ctx); err != nil {
		return err
	}
	a.tracker.AssertNoLeaks(a.t, tracker.Grace(0))
	return nil
}

// twoWrappers: one record for each handle, whoever wraps again.
func twoWrappers(a *app) error {
	opts := []driverwrap.Option{driverwrap.WithTracker(a.tracker), driverwrap.WithName("twice")}
	c, err := a.connector(a.source)
	if err != nil {
		return err
	}
	db := driverwrap.OpenDB(driverwrap.WrapConnector(c, opts...), opts...)
	defer db.Close()
	tx, err := db.BeginTx(context.Background(), nil) // place: two wrappers
	if err != nil {
		return err
	}
	f := a.wantOpen(tracker.KindTx, "two wrappers")
	if f.Pool != "twice" {
		a.t.Errorf("pool %q", f.Pool)
	}
	return tx.Rollback()
}
