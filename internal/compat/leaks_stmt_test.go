package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// stmtLeaks are found by their growth: a statement may live as long as the
// process, and the pool keeps it.
var stmtLeaks = []leak{
	{name: "prepare per call", shows: "Prepare for each call, no Close", kind: tracker.KindStmt, known: afterCalls, plant: preparePerCall},
	{name: "cache overwrites", shows: "a cache of statements overwrites what it has, and doesn't close it", kind: tracker.KindStmt, known: afterCalls, handles: 2, plant: cacheOverwrites},
	{name: "statement fails", shows: "Close after the call, but not where the call fails", kind: tracker.KindStmt, known: afterCalls, plant: statementFails},
	{name: "statement for a transaction", shows: "`tx.Stmt(stmt)` ends with the transaction; what it was made of doesn't", kind: tracker.KindStmt, known: afterCalls, plant: statementForTx},
	{name: "statement on a conn", shows: "prepared on a Conn, which is closed: the connection keeps it", kind: tracker.KindStmt, known: afterCalls, plant: statementOnConn},
	{name: "repository per request", shows: "a constructor prepares all statements of a type that is made for each request", kind: tracker.KindStmt, known: afterCalls, handles: 3, plant: repositoryPerRequest},
	{name: "statement after a panic", shows: "a panic between Prepare and Close, recovered further up", kind: tracker.KindStmt, known: afterCalls, plant: func(a *app) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%w: %v", errPlanted, r)
			}
		}()
		stmt, err := a.db.Prepare(a.bind("SELECT price FROM item WHERE id = ?")) // place: statement after a panic
		if err != nil {
			return err
		}
		var prices []int
		prices[0] = 1 // panics
		return stmt.Close()
	}},
	{name: "a statement, never closed", shows: "one statement, prepared once: an assertion names it, nothing else does", kind: tracker.KindStmt, known: atAssert, once: true, plant: func(a *app) error {
		stmt, err := a.db.Prepare(a.bind("SELECT name FROM item WHERE id = ?")) // place: a statement, never closed
		if err != nil {
			return err
		}
		a.leftovers = append(a.leftovers, stmt.Close)
		return stmt.QueryRow(1).Scan(new(string))
	}},
}

func preparePerCall(a *app) error {
	stmt, err := a.db.PrepareContext(a.ctx, a.bind("SELECT name FROM item WHERE id = ?")) // place: prepare per call
	if err != nil {
		return err
	}
	var name string
	return stmt.QueryRowContext(a.ctx, 1).Scan(&name)
}

func cacheOverwrites(a *app) error {
	cache := make(map[string]*sql.Stmt)
	query := "SELECT price FROM item"
	for range 2 {
		stmt, err := a.db.PrepareContext(a.ctx, query) // place: cache overwrites
		if err != nil {
			return err
		}
		cache[query] = stmt
	}
	return nil
}

func statementFails(a *app) error {
	stmt, err := a.db.Prepare(a.bind("SELECT id FROM item WHERE id = ?")) // place: statement fails
	if err != nil {
		return err
	}
	if err := stmt.QueryRow(-1).Scan(new(int)); err != nil {
		return fmt.Errorf("%w: %w", errPlanted, err)
	}
	return stmt.Close()
}

func statementForTx(a *app) error {
	tx, err := a.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	stmt, err := a.db.Prepare(a.bind("SELECT name FROM item WHERE id > ?")) // place: statement for a transaction
	if err != nil {
		return err
	}
	if err := tx.Stmt(stmt).QueryRow(1).Scan(new(string)); err != nil {
		return err
	}
	return tx.Commit()
}

func statementOnConn(a *app) error {
	conn, err := a.db.Conn(a.ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	stmt, err := conn.PrepareContext(a.ctx, a.bind("SELECT price FROM item WHERE id > ?")) // place: statement on a conn
	if err != nil {
		return err
	}
	return stmt.QueryRow(1).Scan(new(int))
}

func repositoryPerRequest(a *app) error {
	var failed error
	for _, what := range []string{"id", "name", "price"} {
		_, err := a.db.PrepareContext(context.Background(), "SELECT "+what+" FROM item") // place: repository per request
		failed = errors.Join(failed, err)
	}
	return failed
}
