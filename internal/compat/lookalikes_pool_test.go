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

var connLookalikes = []lookalike{
	{name: "conn put to many uses", shows: "queries, statements and transactions on one Conn, all given back", listed: asOpen, run: connOfManyUses},
	{name: "conn had in time", shows: "a Conn with a timeout that is soon over; then used with others, now and then", listed: asOpen, run: connHadInTime},
	{name: "idle connections", shows: "connections in the pool, for an hour", listed: asIdle, run: idleConnections},
	{name: "lifetime expiry", shows: "`SetConnMaxLifetime` closes connections, statements and all", run: lifetimeExpiry},
	{name: "idle eviction", shows: "`SetConnMaxIdleTime` closes connections, statements and all", run: idleEviction},
	{name: "no idle connections", shows: "`SetMaxIdleConns(0)`: a new connection for each call", run: noIdleConns},
	{name: "broken connection", shows: "`Conn.Raw` says `ErrBadConn`: the pool drops the connection", run: brokenConn},
	{name: "panic in Raw", shows: "a panic in `Conn.Raw`: the pool drops the connection", run: panicInRaw},
	{name: "conn closed twice", shows: "Close, and a deferred Close", run: connClosedTwice},
	{name: "waiter that gives up", shows: "its deadline passes while the pool is empty", run: waiterGivesUp},
	{name: "crowd", shows: "many goroutines, few connections, some cancelled", run: crowd},
}

var stmtLookalikes = []lookalike{
	{name: "statement on many connections", shows: "database/sql prepares it on each: one statement", run: statementOnMany},
	{name: "statement closed while busy", shows: "the driver hears of its Close when the rows are closed", run: closedWhileBusy},
	{name: "cache of statements", shows: "a bounded cache for as long as the process, many texts of one line", run: cacheOfStatements},
	{name: "cache that evicts", shows: "a cache that closes what it drops", run: cacheThatEvicts},
	{name: "statement per call, closed", shows: "Prepare and Close for each call", run: statementPerCall},
	{name: "statement of a closed DB", shows: "Close after `db.Close`", run: statementOfClosedDB},
	{name: "statement that can't be prepared", shows: "bad SQL in Prepare, again and again", run: statementNotPrepared},
}

var dbLookalikes = []lookalike{
	{name: "db closed over rows, finished later", shows: "`db.Close` while rows are open that are read to their end", run: finishedLater},
	{name: "db of the process", shows: "open when a test ends", run: processDB},
	{name: "two wrappers", shows: "a wrapped connector is wrapped again: one record for each handle", listed: asOpen, run: twoWrappers},
	{name: "db per test", shows: "Open and Close, again and again", run: dbPerTest},
	{name: "ping fails, closed", shows: "Open, Ping fails, Close", run: pingFailsClosed},
	{name: "db that only its transaction leads to", shows: "the DB is closed by who ends the transaction", run: dbOfTransaction},
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
// connHadInTime holds a Conn for longer than the context that it was had with.
func connHadInTime(a *app) error {
	timeout, cancel := context.WithTimeout(a.ctx, time.Second)
	defer cancel()
	conn, err := a.db.Conn(timeout) // place: conn had in time
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.PingContext(timeout); err != nil {
		return err
	}
	for range 6 {
		if err := conn.PingContext(a.ctx); err != nil {
			return err
		}
		a.stays(20 * time.Second)
		a.wantOpen(tracker.KindConn, "conn had in time")
	}
	return nil
}

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
		a.stays(tracker.DefaultThreshold / 2)
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
	a.listed = append(a.listed, asIdle)
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
		if p := a.pool(); inBubble() && (p.Idle+p.InUse != 0 || p.Open[tracker.KindStmt] != 0) {
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
	a.stays(tracker.DefaultThreshold / 2)
	if p := a.pool(); !p.Closed || p.InUse != 1 {
		a.t.Errorf("pool %+v, want it closed with a connection in use", p)
	}
	for rows.Next() {
	}
	return rows.Err()
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
