package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// connLeaks are never proven: the pool has all its connections.
var connLeaks = []leak{
	{name: "conn without close", shows: "a Conn, and an error return before its Close", kind: tracker.KindConn, known: atThreshold, plant: connWithoutClose},
	{name: "conn of a request", shows: "the same, with the context of a request, which is soon over", kind: tracker.KindConn, known: atContextEnd, plant: func(a *app) error {
		request, end := context.WithCancel(a.ctx)
		defer end()
		conn, err := a.db.Conn(request) // place: conn of a request
		if err != nil {
			return err
		}
		if _, err := conn.ExecContext(request, "no such statement"); err != nil {
			return fmt.Errorf("%w: %w", errPlanted, err)
		}
		return conn.Close()
	}},
	{name: "conn after a panic", shows: "a panic before Close, recovered further up", kind: tracker.KindConn, known: atThreshold, plant: func(a *app) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%w: %v", errPlanted, r)
			}
		}()
		conn, err := a.db.Conn(a.ctx) // place: conn after a panic
		if err != nil {
			return err
		}
		if err := conn.Raw(func(any) error { return nil }); err == nil {
			panic("with a Conn")
		}
		return conn.Close()
	}},
	{name: "lock released, conn kept", shows: "takes a lock on a Conn and gives the lock back, but not the Conn", kind: tracker.KindConn, known: atThreshold, plant: func(a *app) error {
		conn, err := a.db.Conn(context.Background()) // place: lock released, conn kept
		if err != nil {
			return err
		}
		if _, err := conn.ExecContext(a.ctx, a.takeLock()); err != nil {
			return err
		}
		_, err = conn.ExecContext(a.ctx, a.releaseLock())
		return err
	}},
	{name: "reconnecting", shows: "a loop gets a new Conn after a failure, and doesn't close the old one", kind: tracker.KindConn, known: atThreshold, handles: 2, plant: reconnecting},
	{name: "conn of an idle worker", shows: "each worker has a Conn of its own while it waits for work", kind: tracker.KindConn, known: atThreshold, plant: connOfIdleWorker},
	{name: "conn in a sync.Pool", shows: "a Conn put into a `sync.Pool`, which the garbage collector empties", kind: tracker.KindConn, known: atThreshold, plant: func(a *app) error {
		conn, err := a.db.Conn(context.Background()) // place: conn in a sync.Pool
		conns.Put(conn)
		return err
	}},
	{name: "conn for a transaction", shows: "the transaction on a Conn is committed, the Conn is not closed", kind: tracker.KindConn, known: atThreshold, plant: func(a *app) error {
		conn, err := a.db.Conn(context.Background()) // place: conn for a transaction
		if err != nil {
			return err
		}
		tx, err := conn.BeginTx(a.ctx, nil)
		if err != nil {
			return err
		}
		return tx.Commit()
	}},
}

func connWithoutClose(a *app) error {
	conn, err := a.db.Conn(a.ctx) // place: conn without close
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(a.ctx, "no such statement"); err != nil {
		return fmt.Errorf("%w: %w", errPlanted, err)
	}
	return conn.Close()
}

func reconnecting(a *app) error {
	var conn *sql.Conn
	var err error
	for attempt := range 3 {
		if conn, err = a.db.Conn(a.ctx); err != nil { // place: reconnecting
			return err
		}
		if _, err = conn.ExecContext(a.ctx, "no such statement"); err != nil && attempt == 2 {
			return conn.Close()
		}
	}
	return err
}

func connOfIdleWorker(a *app) error {
	work, ready := make(chan string), make(chan struct{})
	a.spawn(func() error {
		conn, err := a.db.Conn(context.Background()) // place: conn of an idle worker
		close(ready)
		if err != nil {
			return err
		}
		defer conn.Close()
		for {
			select {
			case query := <-work:
				if _, err := conn.ExecContext(a.ctx, query); err != nil {
					return err
				}
			case <-a.ctx.Done():
				return nil
			}
		}
	})
	<-ready
	return nil
}

var conns sync.Pool

// takeLock and releaseLock are what an application runs for a lock of its own.
func (b *backend) takeLock() string {
	switch b.server {
	case mariaDB:
		return "DO GET_LOCK('shop', 5)"
	case postgres:
		return "SELECT pg_advisory_lock_shared(1)"
	}
	return "PRAGMA locking_mode = NORMAL"
}

func (b *backend) releaseLock() string {
	switch b.server {
	case mariaDB:
		return "DO RELEASE_LOCK('shop')"
	case postgres:
		return "SELECT pg_advisory_unlock_shared(1)"
	}
	return "PRAGMA locking_mode = NORMAL"
}

// dbLeaks are found by their growth. One that is dropped as a whole is proven,
// unless something of it wakes up from time to time.
var dbLeaks = []leak{
	{name: "open per request", shows: "`sql.Open` for each request", kind: tracker.KindDB, known: afterCalls, proven: backends, plant: openPerRequest},
	{name: "ping fails", shows: "Open, Ping fails, and no Close on that way out", kind: tracker.KindDB, known: afterCalls, proven: backends, plant: pingFails},
	{name: "db with old connections closed", shows: "the same with SetConnMaxLifetime: a goroutine wakes up for it", kind: tracker.KindDB, known: afterCalls, plant: func(a *app) error {
		db, err := a.loseDB(driverwrap.Open(a.driver, a.source, driverwrap.WithTracker(a.tracker))) // place: db with old connections closed
		if err != nil {
			return err
		}
		db.SetConnMaxLifetime(100 * time.Hour)
		return db.Ping()
	}},
	{name: "reload", shows: "a DB for each new configuration, kept in one list", kind: tracker.KindDB, known: afterCalls, plant: func(a *app) error {
		db, err := driverwrap.Open(a.driver, a.source, driverwrap.WithTracker(a.tracker)) // place: reload
		if err != nil {
			return err
		}
		a.leftovers = append(a.leftovers, db.Close)
		return db.Ping()
	}},
	{name: "a DB, never closed", shows: "one DB for the process; a report at its end names it, no assertion does", kind: tracker.KindDB, known: atExit, once: true, plant: func(a *app) error {
		db, err := driverwrap.Open(a.driver, a.source, driverwrap.WithTracker(a.tracker), driverwrap.WithName("other")) // place: a DB, never closed
		if err != nil {
			return err
		}
		a.leftovers = append(a.leftovers, db.Close)
		return db.Ping()
	}},
}

func openPerRequest(a *app) error {
	db, err := a.loseDB(driverwrap.Open(a.driver, a.source, driverwrap.WithTracker(a.tracker))) // place: open per request
	if err != nil {
		return err
	}
	var name string
	return db.QueryRowContext(a.ctx, "SELECT name FROM item WHERE id = 1").Scan(&name)
}

func pingFails(a *app) error {
	db, err := a.loseDB(driverwrap.Open(a.driver, a.wrongSource(), driverwrap.WithTracker(a.tracker))) // place: ping fails
	if err != nil {
		return err
	}
	if err := db.PingContext(context.WithoutCancel(a.ctx)); err != nil {
		return fmt.Errorf("%w: %w", errPlanted, err)
	}
	return errors.New("connected")
}

// wrongSource is a data source that there isn't.
func (a *app) wrongSource() string {
	if a.server == "" {
		return "file:/no/such/folder/test.db"
	}
	return strings.Replace(a.source, "/dbleaks", "/no_such_database", 1)
}
