package compat

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// The queries run on context.Background, as they do where such bugs are found:
// rows of a context that can be cancelled end with it, if late.

var rowsLeaks = []leak{
	{name: "early return", shows: "returns on the first match, before `rows.Close`", kind: tracker.KindRows, known: atNextGC, plant: earlyReturn},
	{name: "scan error", shows: "returns the error of Scan", kind: tracker.KindRows, known: atNextGC, plant: scanError},
	{name: "late defer", shows: "a check before `defer rows.Close()` returns", kind: tracker.KindRows, known: atNextGC, plant: lateDefer},
	{name: "query as exec", shows: "an UPDATE by Query, its result dropped", kind: tracker.KindRows, known: atNextGC, plant: queryAsExec},
	{name: "assigned twice", shows: "the variable gets other rows; its `defer` is bound to the first", kind: tracker.KindRows, known: atNextGC, plant: assignedTwice},
	{name: "shadowed rows", shows: "`:=` in a block makes rows that the deferred function outside doesn't see", kind: tracker.KindRows, known: atNextGC, plant: shadowedRows},
	{name: "panic before close", shows: "a panic between Query and Close, recovered further up", kind: tracker.KindRows, known: atNextGC, plant: panicBeforeClose},
	{name: "goroutine that exits", shows: "`runtime.Goexit` before Close, as `t.FailNow` does", kind: tracker.KindRows, known: atNextGC, plant: goexitBeforeClose},
	{name: "if instead of for", shows: "takes one row of many by `if rows.Next()`", kind: tracker.KindRows, known: atNextGC, plant: ifInsteadOfFor},
	{name: "closed in one branch", shows: "Close where there is no row, but not where there is one", kind: tracker.KindRows, known: atNextGC, plant: closedInOneBranch},
	{name: "continue", shows: "`continue` skips the Close at the end of a loop that queries", kind: tracker.KindRows, known: atNextGC, handles: 2, plant: continueBeforeClose},
	{name: "labelled break", shows: "`break outer` out of nested loops, past the inner Close", kind: tracker.KindRows, known: atNextGC, plant: labelledBreak},
	{name: "retry", shows: "each attempt queries again; those that failed stay open", kind: tracker.KindRows, known: atNextGC, handles: 3, plant: retryQuery},
	{name: "arguments of defer", shows: "`defer closeAll(list...)` before there is anything in the list", kind: tracker.KindRows, known: atNextGC, plant: argumentsOfDefer},
	{name: "defer of the wrong call", shows: "`defer owner(rows)`, whose result should have been closed", kind: tracker.KindRows, known: atNextGC, plant: deferWrongCall},
	{name: "second result set", shows: "reads the first of two result sets to its end, which closes nothing", kind: tracker.KindRows, known: atNextGC, on: []*backend{mysqlBackend, pqBackend}, plant: secondResultSet},
	{name: "row without scan", shows: "asks a `QueryRow` for its Err, never to Scan", kind: tracker.KindRow, known: atNextGC, plant: rowWithoutScan},
	{name: "query row as exec", shows: "an UPDATE by QueryRow, its result dropped", kind: tracker.KindRow, known: atNextGC, plant: queryRowAsExec},
	{name: "db closed over rows", shows: "`db.Close` while rows are open: it waits for nobody", kind: tracker.KindRows, known: atNextGC, once: true, plant: closedOverRows},
	{name: "rows of a killed session", shows: "the server ends the session; the rows are dropped", kind: tracker.KindRows, known: atNextGC, on: serverBackends, plant: rowsOfKilledSession},
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

func shadowedRows(a *app) error {
	var rows *sql.Rows
	defer func() {
		if rows != nil {
			rows.Close()
		}
	}()
	if a.db != nil {
		rows, err := a.db.Query("SELECT id FROM item") // place: shadowed rows
		if err != nil {
			return err
		}
		rows.Next()
	}
	return nil
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

func goexitBeforeClose(a *app) (err error) {
	finished(func() {
		var rows *sql.Rows
		if rows, err = a.db.Query("SELECT id FROM item"); err != nil { // place: goroutine that exits
			return
		}
		if rows.Next() {
			runtime.Goexit()
		}
		err = rows.Close()
	})
	return err
}

func ifInsteadOfFor(a *app) error {
	rows, err := a.db.Query("SELECT price FROM item") // place: if instead of for
	if err != nil {
		return err
	}
	var price int
	if rows.Next() {
		return rows.Scan(&price)
	}
	return rows.Err()
}

func closedInOneBranch(a *app) error {
	rows, err := a.db.Query(a.bind("SELECT price FROM item WHERE id > ?"), 1) // place: closed in one branch
	if err != nil {
		return err
	}
	if !rows.Next() {
		return errors.Join(sql.ErrNoRows, rows.Close())
	}
	var price int
	return rows.Scan(&price)
}

func continueBeforeClose(a *app) error {
	for id := range 4 {
		rows, err := a.db.Query(a.bind("SELECT id FROM item WHERE id > ?"), id) // place: continue
		if err != nil {
			return err
		}
		if rows.Next(); id%2 == 1 {
			continue
		}
		if err := rows.Close(); err != nil {
			return err
		}
	}
	return nil
}

func labelledBreak(a *app) error {
outer:
	for range 2 {
		rows, err := a.db.Query("SELECT id FROM item ORDER BY id") // place: labelled break
		if err != nil {
			return err
		}
		for rows.Next() {
			var id int
			if err := rows.Scan(&id); err != nil || id == 2 {
				break outer
			}
		}
		if err := rows.Close(); err != nil {
			return err
		}
	}
	return nil
}

func retryQuery(a *app) error {
	var last error
	for range 3 {
		rows, err := a.db.Query("SELECT name FROM item") // place: retry
		if err != nil {
			return err
		}
		var id int
		if rows.Next(); rows.Scan(&id) == nil {
			return rows.Close()
		}
		last = fmt.Errorf("%w: not a number", errPlanted)
	}
	return last
}

func argumentsOfDefer(a *app) error {
	var open []*sql.Rows
	defer closeAll(open...)
	rows, err := a.db.Query("SELECT id, name FROM item") // place: arguments of defer
	if err != nil {
		return err
	}
	open = append(open, rows)
	open[0].Next()
	return open[0].Err()
}

func closeAll(all ...*sql.Rows) {
	for _, rows := range all {
		rows.Close()
	}
}

func deferWrongCall(a *app) error {
	rows, err := a.db.Query("SELECT id, price FROM item") // place: defer of the wrong call
	if err != nil {
		return err
	}
	defer owner(rows)
	rows.Next()
	return rows.Err()
}

func owner(rows *sql.Rows) io.Closer { return &ownedRows{rows} }
