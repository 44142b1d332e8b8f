package compat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
)

// What somebody will come back to is never leaked, wherever it is kept.
func TestNotProvenWhileKept(t *testing.T) {
	needLeakProfile(t)
	onEach(t, backends, func(t *testing.T, b *backend) {
		kinds := map[string]func(a *app) func() error{"tx": beginToKeep}
		if b == mysqlBackend || b == sqliteBackend { // they keep rows in different ways
			kinds["rows"] = queryToKeep
		}
		for kind, open := range kinds {
			for _, k := range keepers {
				t.Run(kind+" "+k.name, func(t *testing.T) {
					t.Parallel()
					a := newApp(t, b)
					var ended atomic.Bool
					k.keep(t, endOf(a, open, &ended))
					a.prove(ended.Load)
					a.verify()
				})
			}
		}
	})
}

// endOf opens a handle and returns what gives it back.
func endOf(a *app, open func(*app) func() error, ended *atomic.Bool) (end func()) {
	t, closeIt := a.t, open(a)
	return func() {
		if err := closeIt(); err != nil {
			t.Error(err)
		}
		ended.Store(true)
	}
}

func beginToKeep(a *app) func() error {
	tx, err := a.db.Begin()
	a.must(err)
	return tx.Commit
}

func queryToKeep(a *app) func() error {
	rows, err := a.db.Query("SELECT id FROM item")
	a.must(err)
	rows.Next()
	return rows.Close
}

// prove asks for proofs until it is over, and in vain.
func (a *app) prove(over func() bool) {
	a.t.Helper()
	asked := 0
	eventually(a.t, "the end of what is kept", func() bool {
		for range 2 {
			if !a.tracker.Prove() {
				a.t.Fatal("can't prove anything")
			}
			asked++
		}
		if found := a.leaked(); len(found) > 0 {
			a.t.Errorf("proven, though it isn't so:\n%s", describe(found))
		}
		return over()
	})
	if n := a.tracker.Snapshot().Totals.Leaked; n != 0 || asked == 0 {
		a.t.Errorf("%d were leaked, %d proofs", n, asked)
	}
}

// notProven is a program that drops what ends all the same, or is used.
var notProven = []lookalike{
	{name: "dropped under a context that lives", run: func(a *app) error {
		ctx, cancel := context.WithCancel(a.ctx)
		time.AfterFunc(spell, cancel)
		_, err := a.db.BeginTx(ctx, nil)
		return err
	}},
	{name: "dropped under a context that times out", run: func(a *app) error {
		ctx, cancel := context.WithTimeout(context.Background(), spell)
		_ = cancel
		_, err := a.db.BeginTx(ctx, nil)
		return err
	}},
	{name: "rows dropped under a context that times out", run: func(a *app) error {
		ctx, cancel := context.WithTimeout(context.Background(), spell)
		_ = cancel
		rows, err := a.db.QueryContext(ctx, "SELECT id FROM item")
		if err == nil {
			rows.Next()
		}
		return err
	}},
	{name: "rows dropped in a transaction", run: func(a *app) error {
		tx, err := a.db.Begin()
		if err != nil {
			return err
		}
		time.AfterFunc(spell, func() { _ = tx.Commit() })
		_, err = tx.Query("SELECT id FROM item WHERE id < 0")
		return err
	}},
	{name: "waits for a connection of the same pool", run: func(a *app) error {
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
	{name: "in a long query", run: func(a *app) error {
		ctx, cancel := context.WithTimeout(a.ctx, spell)
		a.spawn(func() error {
			defer cancel()
			tx, err := a.db.Begin()
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.ExecContext(ctx, a.endless); err == nil {
				return errors.New("an endless query has ended")
			}
			return nil
		})
		return nil
	}},
	{name: "waits for the lock of a row", on: serverBackends, run: func(a *app) error {
		update := "UPDATE item SET price = price WHERE id = 50"
		first, err := a.db.Begin()
		if err != nil {
			return err
		}
		if _, err := first.Exec(update); err != nil {
			return errors.Join(err, first.Rollback())
		}
		a.spawn(func() error {
			second, err := a.db.Begin()
			if err != nil {
				return err
			}
			defer second.Rollback()
			_, err = second.Exec(update)
			return err
		})
		time.AfterFunc(spell, func() { _ = first.Rollback() })
		return nil
	}},
	{name: "a DB that only its transaction leads to", run: func(a *app) error {
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
	}},
}

func TestNotProven(t *testing.T) {
	needLeakProfile(t)
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, l := range notProven {
			if l.on != nil && !slices.Contains(l.on, b) {
				continue
			}
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				a := newApp(t, b)
				a.must(l.run(a))
				a.prove(func() bool { return a.pool().InUse == 0 && !a.hasOther() })
				a.verify()
			})
		}
	})
}

// hasOther tells whether the program has another DB open.
func (a *app) hasOther() bool {
	for _, p := range a.tracker.Snapshot().Pools {
		if p.Name == "other" {
			return true
		}
	}
	return false
}
