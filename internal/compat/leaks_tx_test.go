package compat

import (
	"context"
	"fmt"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// The transactions begin on the program's context: they end when it ends, at
// the end of the test, and not before.

var txLeaks = []leak{
	{name: "error without rollback", kind: tracker.KindTx, plant: errorWithoutRollback},
	{name: "shadowed error", kind: tracker.KindTx, plant: shadowedError},
	{name: "nil before commit", kind: tracker.KindTx, plant: nilBeforeCommit},
	{name: "panic in a transaction", kind: tracker.KindTx, plant: panicInTransaction},
	{name: "rollback skipped", kind: tracker.KindTx, plant: rollbackSkipped},
	{name: "second connection", kind: tracker.KindTx, once: true, plant: secondConnection},
	{name: "waiting in a transaction", kind: tracker.KindTx, plant: waitingInTransaction},
}

func errorWithoutRollback(a *app) error {
	tx, err := a.db.BeginTx(a.ctx, nil) // place: error without rollback
	if err != nil {
		return err
	}
	var price int
	if err := tx.QueryRow(a.bind("SELECT price FROM item WHERE id = ?"), -1).Scan(&price); err != nil {
		return fmt.Errorf("%w: %w", errPlanted, err)
	}
	return tx.Commit()
}

func shadowedError(a *app) (err error) {
	tx, err := a.db.BeginTx(a.ctx, nil) // place: shadowed error
	if err != nil {
		return err
	}
	check := func() error { return errPlanted }
	var failed error
	defer func() {
		if failed != nil { // the check's error went elsewhere
			tx.Rollback()
		}
	}()
	if err := check(); err != nil {
		return err
	}
	failed = tx.Commit()
	return failed
}

func nilBeforeCommit(a *app) error {
	tx, err := a.db.BeginTx(a.ctx, nil) // place: nil before commit
	if err != nil {
		return err
	}
	// Rows that are open in it are part of the one bug.
	rows, err := tx.Query("SELECT id FROM item WHERE id < 0")
	if err != nil {
		return err
	}
	if rows.Columns(); rows.Err() == nil {
		return nil
	}
	return tx.Commit()
}

func panicInTransaction(a *app) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPlanted, r)
		}
	}()
	return inTransaction(a, func() { panic("in a closure") })
}

func inTransaction(a *app, f func()) error {
	tx, err := a.db.BeginTx(a.ctx, nil) // place: panic in a transaction
	if err != nil {
		return err
	}
	f()
	return tx.Commit()
}

func rollbackSkipped(a *app) error {
	request, cancel := context.WithCancel(a.ctx)
	defer cancel()
	tx, err := a.db.BeginTx(a.ctx, nil) // place: rollback skipped
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(request, "SELECT 1"); err != nil {
		return err
	}
	cancel() // the client went away
	if request.Err() != nil {
		return nil // "nobody wants it any more"
	}
	return tx.Rollback()
}

// secondConnection is a deadlock: the transaction has the only connection.
func secondConnection(a *app) error {
	a.db.SetMaxOpenConns(1)
	a.spawn(func() error {
		tx, err := a.db.BeginTx(a.ctx, nil) // place: second connection
		if err != nil {
			return onlyCanceled(err)
		}
		defer tx.Rollback()
		var name string
		err = a.db.QueryRowContext(a.ctx, "SELECT name FROM item WHERE id = 1").Scan(&name)
		return onlyCanceled(err)
	})
	return nil
}

// waitingInTransaction waits for something that doesn't come.
func waitingInTransaction(a *app) error {
	answer := make(chan string)
	a.spawn(func() error {
		tx, err := a.db.BeginTx(a.ctx, nil) // place: waiting in a transaction
		if err != nil {
			return onlyCanceled(err)
		}
		defer tx.Rollback()
		select {
		case <-answer:
			return tx.Commit()
		case <-a.ctx.Done():
			return nil
		}
	})
	return nil
}
