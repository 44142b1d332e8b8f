package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

var rowsLookalikes = []lookalike{
	{name: "next to the end", shows: "Next until it is false, no Close", run: nextToTheEnd},
	{name: "context cancelled", shows: "no Close, but the context ends", run: contextCancelled},
	{name: "row scanned, all outcomes", shows: "`QueryRow().Scan`: found, not found, wrong type, bad SQL, cancelled", run: rowScanned},
	{name: "close in a helper", shows: "another function closes them", run: closeInHelper},
	{name: "close in a closure", shows: "a deferred closure closes them", run: closeInClosure},
	{name: "close in a goroutine", shows: "another goroutine closes them", run: closeInGoroutine},
	{name: "hidden statement", shows: "a query with arguments, which some drivers prepare: one handle", listed: asOpen, run: hiddenStatement},
	{name: "streaming export", shows: "slow for long, but never idle for as long as the threshold", listed: asOpen, run: streamingExport},
}

func nextToTheEnd(a *app) error {
	rows, err := a.db.Query("SELECT id FROM item")
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return rows.Err()
}

func contextCancelled(a *app) error {
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	rows, err := a.db.QueryContext(ctx, "SELECT id FROM item")
	if err != nil {
		return err
	}
	rows.Next()
	return nil
}

func rowScanned(a *app) error {
	canceled, cancel := context.WithCancel(a.ctx)
	cancel()
	byID := a.bind("SELECT name FROM item WHERE id = ?")
	var name string
	var number int
	for _, q := range []struct {
		row  *sql.Row
		into any
		ok   func(error) bool
	}{
		{a.db.QueryRow(byID, 1), &name, func(err error) bool { return err == nil && name == "item 1" }},
		{a.db.QueryRow(byID, -1), &name, func(err error) bool { return errors.Is(err, sql.ErrNoRows) }},
		{a.db.QueryRow(byID, 1), &number, func(err error) bool { return err != nil }},
		{a.db.QueryRow("SELECT nothing FROM nowhere"), &name, func(err error) bool { return err != nil }},
		{a.db.QueryRowContext(canceled, byID, 1), &name, func(err error) bool { return errors.Is(err, context.Canceled) }},
		{a.db.QueryRow("SELECT name FROM item"), &name, func(err error) bool { return err == nil }},
	} {
		if err := q.row.Scan(q.into); !q.ok(err) {
			return fmt.Errorf("scan into %T: %w", q.into, err)
		}
	}
	return nil
}

func closeInHelper(a *app) error {
	return count(a.db.Query("SELECT id FROM item"))
}

func count(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	rows.Next()
	return rows.Close()
}

func closeInClosure(a *app) (err error) {
	rows, err := a.db.Query("SELECT id FROM item")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	rows.Next()
	return rows.Err()
}

func closeInGoroutine(a *app) error {
	rows, err := a.db.Query("SELECT id FROM item")
	if err != nil {
		return err
	}
	a.spawn(func() error { return count(rows, nil) })
	return nil
}

// hiddenStatement runs a query that some drivers prepare: one handle, not two.
func hiddenStatement(a *app) error {
	rows, err := a.db.Query(a.bind("SELECT id FROM item WHERE id > ?"), 10) // place: hidden statement
	if err != nil {
		return err
	}
	defer rows.Close()
	p := a.pool()
	if p.Open[tracker.KindRows] != 1 || p.Open[tracker.KindStmt] != 0 {
		a.t.Errorf("open: %v, want one rows", p.Open)
	}
	if f := a.wantOpen(tracker.KindRows, "hidden statement"); len(f.Children) > 0 {
		a.t.Errorf("open:\n%s", f)
	}
	return nil
}

// streamingExport is slow but never idle for as long as the threshold.
func streamingExport(a *app) error {
	rows, err := a.db.Query("SELECT id FROM item") // place: streaming export
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		a.stays(tracker.DefaultThreshold - 6*time.Second)
		a.wantOpen(tracker.KindRows, "streaming export")
	}
	if n != items {
		return fmt.Errorf("%d rows: %w", n, rows.Err())
	}
	return rows.Err()
}
