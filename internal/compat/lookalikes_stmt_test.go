package compat

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
)

func noIdleConns(a *app) error {
	a.db.SetMaxIdleConns(0)
	for range 5 {
		if err := a.db.QueryRow("SELECT name FROM item WHERE id = 1").Scan(new(string)); err != nil {
			return err
		}
	}
	a.stays(time.Hour)
	return nil
}

func brokenConn(a *app) error {
	conn, err := a.db.Conn(a.ctx)
	if err != nil {
		return err
	}
	return breakConn(conn)
}

func panicInRaw(a *app) (err error) {
	conn, err := a.db.Conn(a.ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer func() {
		if recover() == nil {
			err = errors.New("no panic")
		}
	}()
	return conn.Raw(func(any) error { panic("in Raw") })
}

func connClosedTwice(a *app) error {
	conn, err := a.db.Conn(a.ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Close()
}

func waiterGivesUp(a *app) error {
	a.db.SetMaxOpenConns(1)
	held, err := a.db.Conn(a.ctx)
	if err != nil {
		return err
	}
	defer held.Close()
	ctx, cancel := context.WithTimeout(a.ctx, spell)
	defer cancel()
	if _, err := a.db.Conn(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("got a connection: %w", err)
	}
	return nil
}

func crowd(a *app) error {
	a.db.SetMaxOpenConns(3)
	a.db.SetMaxIdleConns(1)
	for i := range 30 {
		a.spawn(func() error {
			ctx, cancel := context.WithCancel(a.ctx)
			defer cancel()
			if i%5 == 0 {
				cancel()
			}
			err := a.db.QueryRowContext(ctx, "SELECT name FROM item WHERE id = 1").Scan(new(string))
			if i%5 == 0 || errors.Is(err, driver.ErrBadConn) {
				return nil
			}
			return err
		})
	}
	a.tasks.Wait()
	return nil
}

// cacheOfStatements has one line prepare many texts, once each.
func cacheOfStatements(a *app) error {
	cache := make(map[string]*sql.Stmt)
	for i := range 20 {
		text := fmt.Sprintf("SELECT name FROM item WHERE id IN (1%s)", strings.Repeat(", 2", i))
		stmt, err := a.db.Prepare(text)
		if err != nil {
			return err
		}
		cache[text] = stmt
		a.stays(time.Minute)
	}
	var failed error
	for _, stmt := range cache {
		failed = errors.Join(failed, stmt.QueryRow().Scan(new(string)))
	}
	a.stays(time.Hour)
	for _, stmt := range cache {
		failed = errors.Join(failed, stmt.Close())
	}
	return failed
}

func cacheThatEvicts(a *app) error {
	const size = 5
	var cache []*sql.Stmt
	evict := func(keep int) (err error) {
		for ; len(cache) > keep; cache = cache[1:] {
			err = errors.Join(err, cache[0].Close())
		}
		return err
	}
	for range 40 {
		stmt, err := a.db.Prepare("SELECT price FROM item")
		if err != nil {
			return err
		}
		cache = append(cache, stmt)
		if err := evict(size); err != nil {
			return err
		}
		a.stays(7 * time.Second)
	}
	return evict(0)
}

func statementPerCall(a *app) error {
	for range 20 {
		stmt, err := a.db.Prepare(a.bind("SELECT name FROM item WHERE id = ?"))
		if err != nil {
			return err
		}
		if err := errors.Join(stmt.QueryRow(1).Scan(new(string)), stmt.Close()); err != nil {
			return err
		}
		a.stays(7 * time.Second)
	}
	return nil
}

func statementOfClosedDB(a *app) error {
	stmt, err := a.db.Prepare(a.bind("SELECT name FROM item WHERE id = ?"))
	if err != nil {
		return err
	}
	return errors.Join(a.db.Close(), stmt.Close())
}

func statementNotPrepared(a *app) error {
	for range 10 {
		if _, err := a.db.Prepare("no such statement"); err == nil {
			return errors.New("there is such a statement")
		}
		a.stays(7 * time.Second)
	}
	return nil
}

func dbPerTest(a *app) error {
	for range 10 {
		db, err := driverwrap.Open(a.driver, a.source, driverwrap.WithTracker(a.tracker))
		if err != nil {
			return err
		}
		if err := errors.Join(db.Ping(), db.Close()); err != nil {
			return err
		}
		a.stays(7 * time.Second)
	}
	return nil
}

func pingFailsClosed(a *app) error {
	for range 5 {
		db, err := driverwrap.Open(a.driver, a.wrongSource(), driverwrap.WithTracker(a.tracker))
		if err != nil {
			return err
		}
		if db.Ping() == nil {
			return errors.New("connected")
		}
		if err := db.Close(); err != nil {
			return err
		}
		a.stays(7 * time.Second)
	}
	return nil
}

func dbOfTransaction(a *app) error {
	db, err := driverwrap.Open(a.driver, a.source, driverwrap.WithTracker(a.tracker), driverwrap.WithName("other"))
	if err != nil {
		return err
	}
	closeDB := db.Close
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	time.AfterFunc(spell, func() {
		_ = tx.Rollback()
		_ = closeDB()
	})
	return nil
}
