package compat

import (
	"context"
	"database/sql"
	"runtime"
)

type txKey struct{}

func txInContext(a *app) error {
	tx, err := a.loseTx(a.db.Begin()) // place: transaction in a context
	if err != nil {
		return err
	}
	handle := func(ctx context.Context) (status int) {
		if err := ctx.Value(txKey{}).(*sql.Tx).QueryRow("SELECT id FROM item WHERE id = -1").Scan(new(int)); err != nil {
			return 404
		}
		return 200
	}
	switch status := handle(context.WithValue(a.ctx, txKey{}, tx)); {
	case status < 400:
		return tx.Commit()
	case status >= 500:
		return tx.Rollback()
	}
	return nil
}

func begunTooLate(a *app) error {
	begun := make(chan *sql.Tx, 1)
	var err error
	finished(func() {
		var tx *sql.Tx
		tx, err = a.loseTx(a.db.Begin()) // place: begun too late
		begun <- tx
	})
	return err // "deadline exceeded"
}

func oneOfMany(a *app) error {
	for i := range 5 {
		tx, err := a.db.Begin() // place: one of many
		if err != nil {
			return err
		}
		if i != 2 {
			a.leftovers = append(a.leftovers, tx.Rollback)
			continue
		}
		_, _ = a.loseTx(tx, nil)
	}
	return nil
}

func withRowsOfStatement(a *app) error {
	tx, err := a.loseTx(a.db.Begin()) // place: with rows of a statement
	if err != nil {
		return err
	}
	stmt, err := tx.Prepare("SELECT id FROM item")
	if err != nil {
		return err
	}
	_, err = stmt.Query()
	return err
}

func leftToFinalizer(a *app) error {
	tx, err := a.loseTx(a.db.Begin()) // place: left to a finalizer
	if err == nil {
		runtime.SetFinalizer(tx, func(tx *sql.Tx) { _ = tx.Rollback() })
	}
	return err
}
