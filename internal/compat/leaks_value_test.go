package compat

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"sync"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// rowsValueLeaks pass rows on, as a value of some kind, to nobody.
var rowsValueLeaks = []leak{
	{name: "iterator", shows: "an `iter.Seq` over rows that closes them at the end only, and a loop that breaks", kind: tracker.KindRows, known: atNextGC, plant: leakyIterator},
	{name: "generic helper", shows: "a generic function that queries and converts, and returns on the first error", kind: tracker.KindRows, known: atNextGC, plant: func(a *app) error {
		_, err := selectAll[int](a, "SELECT name FROM item")
		return fmt.Errorf("%w: %w", errPlanted, err)
	}},
	{name: "struct without Close", shows: "a cursor type that has the rows, but no Close", kind: tracker.KindRows, known: atNextGC, plant: func(a *app) error {
		c, err := newCursor(a)
		if err != nil {
			return err
		}
		c.rows.Next()
		return c.rows.Err()
	}},
	{name: "function to close, not called", shows: "a function returns the rows' Close as a value, which the caller drops", kind: tracker.KindRows, known: atNextGC, plant: func(a *app) error {
		_, err := queryWithCleanup(a)
		return err
	}},
	{name: "map overwritten", shows: "a map of cursors gets another under the same key", kind: tracker.KindRows, known: atNextGC, plant: mapOverwritten},
	{name: "channel buffer", shows: "rows in the buffer of a channel that nobody reads any more, as after a timeout", kind: tracker.KindRows, known: atNextGC, plant: func(a *app) error {
		result, failed := make(chan *sql.Rows, 1), make(chan error, 1)
		finished(func() {
			rows, err := a.db.Query("SELECT id FROM item") // place: channel buffer
			result <- rows
			failed <- err
		})
		select {
		case err := <-failed:
			return err
		default:
			return fmt.Errorf("%w: too late", errPlanted)
		}
	}},
	{name: "sync.Pool", shows: "a cursor put into a `sync.Pool`, open", kind: tracker.KindRows, known: atNextGC, plant: func(a *app) error {
		rows, err := a.db.Query("SELECT name, price FROM item") // place: sync.Pool
		cursors.Put(rows)
		return err
	}},
	{name: "without cancel", shows: "rows of `context.WithoutCancel`: they don't end with the request", kind: tracker.KindRows, known: atNextGC, plant: func(a *app) error {
		request, cancel := context.WithCancel(a.ctx)
		defer cancel()
		rows, err := a.db.QueryContext(context.WithoutCancel(request), "SELECT id FROM item") // place: without cancel
		if err != nil {
			return err
		}
		rows.Next()
		return rows.Err()
	}},
	{name: "context value", shows: "rows in the value of a context that is over", kind: tracker.KindRows, known: atNextGC, plant: func(a *app) error {
		type key struct{}
		ctx, cancel := context.WithCancel(a.ctx)
		rows, err := a.db.Query("SELECT id, name FROM item") // place: context value
		ctx = context.WithValue(ctx, key{}, rows)
		cancel()
		return firstOf(err, onlyCanceled(ctx.Err()))
	}},
	{name: "rows of a dropped context", shows: "rows of a context that can be cancelled, whose `cancel` is lost", kind: tracker.KindRows, known: atThreshold,
		proven: []*backend{pqBackend, sqliteBackend}, plant: func(a *app) error { // the others' drivers keep the context in sight
			rows, err := a.loseRows(a.db.QueryContext(withLostCancel(), "SELECT id FROM item")) // place: rows of a dropped context
			if err != nil {
				return err
			}
			rows.Next()
			return rows.Err()
		}},
	{name: "rows of a statement", shows: "rows of a prepared statement, dropped; database/sql lists them with the statement", kind: tracker.KindRows, known: atThreshold, plant: rowsOfStatement},
	{name: "row of a statement", shows: "`stmt.QueryRow` without Scan", kind: tracker.KindRow, known: atThreshold, plant: func(a *app) error {
		stmt, err := a.db.Prepare(a.bind("SELECT name FROM item WHERE id = ?"))
		if err != nil {
			return err
		}
		defer stmt.Close()
		return stmt.QueryRow(3).Err() // place: row of a statement
	}},
}

func leakyIterator(a *app) error {
	for id, err := range ids(a) {
		if err != nil {
			return err
		}
		if id == 2 {
			break
		}
	}
	return nil
}

func ids(a *app) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		rows, err := a.db.Query("SELECT id FROM item ORDER BY id") // place: iterator
		if err != nil {
			yield(0, err)
			return
		}
		for rows.Next() {
			var id int
			if err := rows.Scan(&id); !yield(id, err) {
				return
			}
		}
		if err := rows.Close(); err != nil {
			yield(0, err)
		}
	}
}

func selectAll[T any](a *app, query string) (all []T, err error) {
	rows, err := a.db.Query(query) // place: generic helper
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Close()
}

type cursor struct{ rows *sql.Rows }

func newCursor(a *app) (*cursor, error) {
	rows, err := a.db.Query("SELECT id FROM item") // place: struct without Close
	return &cursor{rows}, err
}

func queryWithCleanup(a *app) (cleanup func() error, err error) {
	rows, err := a.db.Query("SELECT id FROM item") // place: function to close, not called
	if err != nil {
		return nil, err
	}
	rows.Next()
	return rows.Close, rows.Err()
}

func mapOverwritten(a *app) error {
	open := make(map[string]*sql.Rows)
	for range 2 {
		rows, err := a.db.Query("SELECT id FROM item") // place: map overwritten
		if err != nil {
			return err
		}
		rows.Next()
		open["item"] = rows
	}
	return open["item"].Close()
}

var cursors sync.Pool

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

// firstOf is the first of the errors that is one.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
