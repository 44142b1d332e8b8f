package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// The queries run on context.Background, as they do where such bugs are found:
// rows of a context that can be cancelled end with it, if late.

var rowsLeaks = []leak{
	{name: "early return", kind: tracker.KindRows, proof: tracker.ProofUnreachable, plant: earlyReturn},
	{name: "scan error", kind: tracker.KindRows, proof: tracker.ProofUnreachable, plant: scanError},
	{name: "late defer", kind: tracker.KindRows, proof: tracker.ProofUnreachable, plant: lateDefer},
	{name: "query as exec", kind: tracker.KindRows, proof: tracker.ProofUnreachable, plant: queryAsExec},
	{name: "assigned twice", kind: tracker.KindRows, proof: tracker.ProofUnreachable, plant: assignedTwice},
	{name: "panic before close", kind: tracker.KindRows, proof: tracker.ProofUnreachable, plant: panicBeforeClose},
	{name: "row without scan", kind: tracker.KindRow, proof: tracker.ProofUnreachable, plant: rowWithoutScan},
	{name: "db closed over rows", kind: tracker.KindRows, proof: tracker.ProofUnreachable, once: true, plant: closedOverRows},
	{name: "rows kept", kind: tracker.KindRows, plant: rowsKept},
	{name: "rows of a statement", kind: tracker.KindRows, plant: rowsOfStatement},
	{name: "query inside rows", kind: tracker.KindRows, once: true, plant: queryInsideRows},
}

func earlyReturn(a *app) error {
	rows, err := a.db.Query(a.bind("SELECT id, name FROM item WHERE id >= ?"), 1) // place: early return
	if err != nil {
		return err
	}
	for rows.Next() {
		var id int
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return err
		}
		if name == "item 3" {
			return nil
		}
	}
	return rows.Close()
}

func scanError(a *app) error {
	rows, err := a.db.Query("SELECT name FROM item") // place: scan error
	if err != nil {
		return err
	}
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("%w: %w", errPlanted, err)
		}
	}
	return rows.Close()
}

func lateDefer(a *app) error {
	rows, err := a.db.Query("SELECT price FROM item") // place: late defer
	if err != nil {
		return err
	}
	if columns, err := rows.Columns(); err != nil || len(columns) != 2 {
		return fmt.Errorf("%w: columns %v: %w", errPlanted, columns, errors.Join(err))
	}
	defer rows.Close()
	return nil
}

func queryAsExec(a *app) error {
	_, err := a.db.Query("UPDATE item SET price = price WHERE id < 0") // place: query as exec
	return err
}

func assignedTwice(a *app) error {
	rows, err := a.db.Query("SELECT id FROM item")
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return rows.Err()
	}
	rows, err = a.db.Query("SELECT name FROM item") // place: assigned twice
	if err != nil {
		return err
	}
	rows.Next()
	return rows.Err()
}

func panicBeforeClose(a *app) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPlanted, r)
		}
	}()
	rows, err := a.db.Query("SELECT id FROM item ORDER BY id") // place: panic before close
	if err != nil {
		return err
	}
	names := make([]string, 2)
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			return err
		}
		names[id-1] = "seen" // panics at the third
	}
	return rows.Close()
}

func rowWithoutScan(a *app) error {
	row := a.db.QueryRow(a.bind("SELECT name FROM item WHERE id = ?"), 7) // place: row without scan
	return row.Err()
}

// rowsOfStatement drops the rows, but database/sql doesn't: its list of what
// depends on a statement has them. So they are never proven unreachable. The
// statement is not to blame; it was closed, and waits for its rows.
func rowsOfStatement(a *app) error {
	stmt, err := a.db.Prepare(a.bind("SELECT id FROM item WHERE id > ?"))
	if err != nil {
		return err
	}
	defer stmt.Close()
	rows, err := stmt.Query(1) // place: rows of a statement
	if err != nil {
		return err
	}
	rows.Next()
	return rows.Err()
}

func closedOverRows(a *app) error {
	rows, err := a.db.Query("SELECT id FROM item") // place: db closed over rows
	if err != nil {
		return err
	}
	rows.Next()
	return errors.Join(rows.Err(), a.db.Close())
}

// rowsKept forgets rows in something that lives on.
func rowsKept(a *app) error {
	rows, err := a.db.Query("SELECT id FROM item") // place: rows kept
	if err != nil {
		return err
	}
	rows.Next()
	a.leftovers = append(a.leftovers, rows.Close)
	return rows.Err()
}

// queryInsideRows is a deadlock: what the loop needs, the rows have.
func queryInsideRows(a *app) error {
	a.db.SetMaxOpenConns(1)
	a.spawn(func() error {
		rows, err := a.db.Query("SELECT id FROM item") // place: query inside rows
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int
			if err := rows.Scan(&id); err != nil {
				return err
			}
			if _, err := a.db.ExecContext(a.ctx, a.bind("UPDATE item SET price = 0 WHERE id = ?"), id); err != nil {
				return onlyCanceled(err)
			}
		}
		return rows.Err()
	})
	return nil
}

// onlyCanceled passes any error but the one that the end of the program's
// context gives to those who still wait.
func onlyCanceled(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}
