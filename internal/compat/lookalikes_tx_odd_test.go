package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// txOddLookalikes end their transactions in less usual ways.
var txOddLookalikes = []lookalike{
	{name: "dropped under a context that lives", shows: "a transaction nobody has, until its context is cancelled", run: func(a *app) error {
		ctx, cancel := context.WithCancel(a.ctx)
		time.AfterFunc(spell, cancel)
		_, err := a.db.BeginTx(ctx, nil)
		return err
	}},
	{name: "dropped under a deadline", shows: "a transaction nobody has, until its context's deadline", run: func(a *app) error {
		ctx, cancel := context.WithTimeout(context.Background(), spell)
		_ = cancel
		_, err := a.db.BeginTx(ctx, nil)
		return err
	}},
	{name: "rows dropped in a transaction", shows: "the transaction is committed later, by a timer", run: func(a *app) error {
		tx, err := a.db.Begin()
		if err != nil {
			return err
		}
		time.AfterFunc(spell, func() { _ = tx.Commit() })
		_, err = tx.Query("SELECT id FROM item WHERE id < 0")
		return err
	}},
	{name: "panic with a deferred rollback", shows: "a transaction helper rolls back and panics on", run: func(a *app) (err error) {
		defer func() {
			if recover() == nil {
				err = errors.New("no panic")
			}
		}()
		tx, err := a.db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		panic("before the end")
	}},
	{name: "committed by another goroutine", shows: "begins here, commits there", run: func(a *app) error {
		tx, err := a.db.Begin()
		if err == nil {
			a.spawn(tx.Commit)
		}
		return err
	}},
	{name: "savepoints", shows: "a part is rolled back, the rest committed", run: func(a *app) error {
		tx, err := a.db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for _, s := range []string{"SAVEPOINT part", "ROLLBACK TO SAVEPOINT part", "RELEASE SAVEPOINT part"} {
			if _, err := tx.Exec(s); err != nil {
				return err
			}
		}
		return tx.Commit()
	}},
	{name: "commit of a failed transaction", shows: "a statement failed; Commit may or may not say so, the transaction is over", run: func(a *app) error {
		tx, err := a.db.Begin()
		if err != nil {
			return err
		}
		if _, err := tx.Exec("no such statement"); err == nil {
			return errors.New("there is such a statement")
		}
		_ = tx.Commit()
		return nil
	}},
	{name: "begin that fails", shows: "a context that is over, an isolation level that there isn't", on: serverBackends, run: func(a *app) error {
		over, cancel := context.WithCancel(a.ctx)
		cancel()
		_, err := a.db.BeginTx(over, nil)
		_, err2 := a.db.BeginTx(a.ctx, &sql.TxOptions{Isolation: sql.LevelLinearizable})
		if err == nil || err2 == nil {
			return errors.New("begun")
		}
		return nil
	}},
	{name: "commit after the context", shows: "the context ends the transaction; Commit and Rollback come later", run: func(a *app) error {
		ctx, cancel := context.WithCancel(a.ctx)
		tx, err := a.db.BeginTx(ctx, nil)
		if err != nil {
			cancel()
			return err
		}
		cancel()
		if tx.Commit() == nil {
			return errors.New("committed")
		}
		_ = tx.Rollback()
		return nil
	}},
	{name: "Exec over open rows", shows: "rows and a statement on the same transaction: some drivers break the connection", run: func(a *app) error {
		tx, err := a.db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		rows, err := tx.Query("SELECT a.id FROM item a, item b")
		if err != nil {
			return err
		}
		rows.Next()
		_, _ = tx.Exec("UPDATE item SET price = price WHERE id < 0")
		return nil
	}},
	{name: "heartbeat in a transaction", shows: "slow work outside, and a `SELECT 1` now and then", listed: asOpen, run: func(a *app) error {
		tx, err := a.db.Begin() // place: heartbeat in a transaction
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for range 5 {
			a.stays(tracker.DefaultThreshold - 6*time.Second)
			if err := tx.QueryRow("SELECT 1").Scan(new(int)); err != nil {
				return err
			}
			a.wantOpen(tracker.KindTx, "heartbeat in a transaction")
		}
		return tx.Commit()
	}},
	{name: "in a Conn's transaction", shows: "transaction after transaction on one Conn", listed: asOpen, run: func(a *app) error {
		conn, err := a.db.Conn(a.ctx) // place: in a Conn's transaction
		if err != nil {
			return err
		}
		defer conn.Close()
		for i := range 4 {
			tx, err := conn.BeginTx(a.ctx, nil)
			if err != nil {
				return err
			}
			a.stays(tracker.DefaultThreshold / 2)
			if f := a.wantOpen(tracker.KindConn, "in a Conn's transaction"); len(f.Children) != 1 {
				return fmt.Errorf("open:\n%s", f)
			}
			if i%2 == 0 {
				err = tx.Commit()
			} else {
				err = tx.Rollback()
			}
			if err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "waits for a connection of the same pool", shows: "with a deadline, after which it rolls back", run: func(a *app) error {
		a.db.SetMaxOpenConns(1)
		ctx, cancel := context.WithTimeout(a.ctx, spell)
		a.spawn(func() error {
			defer cancel()
			tx, err := a.db.Begin()
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if err := a.db.PingContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("got a second connection: %w", err)
			}
			return nil
		})
		return nil
	}},
	{name: "retried after a conflict", shows: "each attempt rolls back before the next begins", run: func(a *app) error {
		for attempt := range 3 {
			tx, err := a.db.BeginTx(a.ctx, nil)
			if err != nil {
				return err
			}
			if _, err := tx.Exec("no such statement"); err != nil && attempt < 2 {
				if err := tx.Rollback(); err != nil {
					return err
				}
				continue
			}
			_ = tx.Commit()
		}
		return nil
	}},
}
