package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// txLeaks are dropped, or kept from being ended. database/sql keeps each for
// as long as its context may end, so that only the goroutine-leak profile can
// tell that it never will.
var txLeaks = []leak{
	{name: "error without rollback", shows: "an error return before Commit, no deferred Rollback", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: errorWithoutRollback},
	{name: "shadowed error", shows: "a deferred Rollback looks at another `err` than the one that is set", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: shadowedError},
	{name: "nil before commit", shows: "returns nil before Commit, with rows open inside", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: nilBeforeCommit},
	{name: "nothing to commit", shows: "a read-only transaction is neither committed nor rolled back", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: nothingToCommit},
	{name: "panic in a transaction", shows: "a panic in the closure of a transaction helper, recovered further up", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: panicInTransaction},
	{name: "goroutine that exits in a transaction", shows: "`runtime.Goexit` before Commit", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: goexitInTransaction},
	{name: "rollback skipped", shows: "no Rollback, as the request's context is done; the transaction has another", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: rollbackSkipped},
	{name: "rollback as text", shows: "`tx.Exec(\"ROLLBACK\")`: over for the server, not for the pool", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: rollbackAsText},
	{name: "half a constructor", shows: "a function that begins and sets up returns nil and an error", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: func(a *app) error {
		_, err := beginSetUp(a)
		return fmt.Errorf("%w: %w", errPlanted, err)
	}},
	{name: "retried transaction", shows: "each attempt begins anew, in the same variable", kind: tracker.KindTx, known: atThreshold, proven: backends, handles: 2, plant: retryTransaction},
	{name: "defer of the wrong call in a transaction", shows: "`defer undo(tx)`, whose result should have been closed", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: deferWrongCallInTx},
	{name: "nested begin", shows: "a helper begins its own transaction inside another, and leaves it to the caller to end", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: nestedBegin},
	{name: "transaction in a context", shows: "middleware passes it in a context's value, and forgets it for one answer", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: txInContext},
	{name: "begun too late", shows: "the caller's timeout is over when the transaction arrives in its channel", kind: tracker.KindTx, known: atThreshold, proven: backends, plant: begunTooLate},
	{name: "transaction of a dropped context", shows: "its context can be cancelled, but `cancel` is lost", kind: tracker.KindTx, known: atThreshold,
		proven: []*backend{mysqlBackend, sqliteBackend}, plant: func(a *app) error { // the others' drivers keep the context in sight
			_, err := a.loseTx(a.db.BeginTx(withLostCancel(), nil)) // place: transaction of a dropped context
			return err
		}},
	{name: "one of many", shows: "a loop begins several and loses one", kind: tracker.KindTx, known: atThreshold, proven: backends, handles: 5, plant: oneOfMany},
	{name: "on a conn that is kept", shows: "dropped on a Conn that is in use for long", kind: tracker.KindTx, known: atThreshold, proven: backends, conn: "conn that is kept", plant: func(a *app) error {
		conn, err := a.db.Conn(a.ctx) // place: conn that is kept
		if err != nil {
			return err
		}
		defer func() { a.leftovers = append(a.leftovers, conn.Close) }()
		_, err = a.loseTx(conn.BeginTx(context.Background(), nil)) // place: on a conn that is kept
		return err
	}},
	{name: "dropped with its conn", shows: "a Conn and the transaction on it", kind: tracker.KindTx, known: atThreshold, proven: backends, conn: "conn dropped, too", plant: func(a *app) error {
		conn, err := a.db.Conn(a.ctx) // place: conn dropped, too
		if err != nil {
			return err
		}
		_, err = a.loseTx(conn.BeginTx(context.Background(), nil)) // place: dropped with its conn
		return err
	}},
	{name: "with rows of a statement", shows: "has rows of a statement, which database/sql lists: they lead to it", kind: tracker.KindTx, known: atThreshold, plant: withRowsOfStatement},
	{name: "left to a finalizer", shows: "a finalizer is to roll it back; database/sql keeps it, so it never runs", kind: tracker.KindTx, known: atThreshold, plant: leftToFinalizer},
}

func errorWithoutRollback(a *app) error {
	tx, err := a.loseTx(a.db.Begin()) // place: error without rollback
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
	tx, err := a.loseTx(a.db.Begin()) // place: shadowed error
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
	tx, err := a.loseTx(a.db.Begin()) // place: nil before commit
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

func nothingToCommit(a *app) error {
	var opts *sql.TxOptions
	if a.server != "" { // sqlite's driver has no read-only ones
		opts = &sql.TxOptions{ReadOnly: true}
	}
	tx, err := a.loseTx(a.db.BeginTx(context.Background(), opts)) // place: nothing to commit
	if err != nil {
		return err
	}
	return tx.QueryRow("SELECT name FROM item WHERE id = 1").Scan(new(string))
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
	tx, err := a.loseTx(a.db.Begin()) // place: panic in a transaction
	if err != nil {
		return err
	}
	f()
	return tx.Commit()
}

func goexitInTransaction(a *app) (err error) {
	finished(func() {
		var tx *sql.Tx
		if tx, err = a.loseTx(a.db.Begin()); err != nil { // place: goroutine that exits in a transaction
			return
		}
		if a.ctx.Err() == nil {
			runtime.Goexit()
		}
		err = tx.Commit()
	})
	return err
}

func rollbackSkipped(a *app) error {
	request, cancel := context.WithCancel(a.ctx)
	defer cancel()
	tx, err := a.loseTx(a.db.Begin()) // place: rollback skipped
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

func rollbackAsText(a *app) error {
	tx, err := a.loseTx(a.db.Begin()) // place: rollback as text
	if err != nil {
		return err
	}
	_, err = tx.Exec("ROLLBACK")
	return err
}

func beginSetUp(a *app) (*sql.Tx, error) {
	tx, err := a.loseTx(a.db.Begin()) // place: half a constructor
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec("SET no_such_variable"); err != nil {
		return nil, err
	}
	return tx, nil
}

func retryTransaction(a *app) (err error) {
	var tx *sql.Tx
	for attempt := range 3 {
		if tx, err = a.loseTx(a.db.Begin()); err != nil { // place: retried transaction
			return err
		}
		if err = tx.QueryRow("SELECT name FROM item WHERE id = 1").Scan(new(string)); err == nil && attempt == 2 {
			return tx.Commit()
		}
	}
	return err
}

func deferWrongCallInTx(a *app) error {
	tx, err := a.loseTx(a.db.Begin()) // place: defer of the wrong call in a transaction
	if err != nil {
		return err
	}
	defer undo(tx)
	if _, err := tx.Exec("no such statement"); err != nil {
		return fmt.Errorf("%w: %w", errPlanted, err)
	}
	return tx.Commit()
}

func undo(tx *sql.Tx) io.Closer { return closeFunc(tx.Rollback) }

// closeFunc is a function that closes something.
type closeFunc func() error

// Close calls the function.
func (f closeFunc) Close() error { return f() }

func nestedBegin(a *app) error {
	outer, err := a.db.Begin()
	if err != nil {
		return err
	}
	defer outer.Rollback()
	helper := func() error {
		inner, err := a.loseTx(a.db.Begin()) // place: nested begin
		if err != nil {
			return err
		}
		return inner.QueryRow("SELECT name FROM item WHERE id = 1").Scan(new(string))
	}
	return errors.Join(helper(), outer.Commit())
}
