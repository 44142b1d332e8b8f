package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

var txLookalikes = []lookalike{
	{name: "rollback after commit", shows: "the deferred Rollback does nothing", run: rollbackAfterCommit},
	{name: "transaction ended by its context", shows: "dropped, then its context is cancelled", run: endedByContext},
	{name: "rows left open in a transaction", shows: "they end with it", run: rowsLeftOpen},
	{name: "statements of a transaction", shows: "they end with it, prepared in it or before", run: statementsOfTx},
	{name: "long batch", shows: "takes much longer than the threshold, and works all the time", listed: asOpen, run: longBatch},
}

func rollbackAfterCommit(a *app) error {
	tx, err := a.db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
			a.t.Error(err)
		}
	}()
	if _, err := tx.Exec("UPDATE item SET price = price WHERE id < 0"); err != nil {
		return err
	}
	return tx.Commit()
}

func endedByContext(a *app) error {
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	_, err := a.db.BeginTx(ctx, nil)
	return err
}

func rowsLeftOpen(a *app) error {
	tx, err := a.db.Begin()
	if err != nil {
		return err
	}
	rows, err := tx.Query("SELECT id FROM item")
	if err != nil {
		return err
	}
	rows.Next()
	return tx.Rollback()
}

// statementsOfTx prepares in a transaction, whose end closes what it prepared.
func statementsOfTx(a *app) error {
	query := a.bind("SELECT name FROM item WHERE id = ?")
	stmt, err := a.db.Prepare(query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	tx, err := a.db.Begin() // place: statements of a transaction
	if err != nil {
		return err
	}
	defer tx.Rollback()
	own, err := tx.Prepare(query)
	if err != nil {
		return err
	}
	for _, s := range []*sql.Stmt{own, tx.Stmt(stmt)} {
		var name string
		if err := s.QueryRow(2).Scan(&name); err != nil {
			return fmt.Errorf("statement in a transaction: %w", err)
		}
	}
	return tx.Commit()
}

// longBatch takes much longer than the threshold, and works all the time.
func longBatch(a *app) error {
	tx, err := a.db.Begin() // place: long batch
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert := a.bind("INSERT INTO note VALUES (?, 'x')")
	for i := range 50 {
		if _, err := tx.Exec(insert, 1000+i); err != nil {
			return err
		}
		a.stays(tracker.DefaultThreshold - 6*time.Second)
		a.wantOpen(tracker.KindTx, "long batch")
	}
	return tx.Rollback()
}
