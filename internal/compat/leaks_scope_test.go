package compat

import (
	"database/sql"
	"errors"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// scopeLeaks are what a scope can leave open; a.ctx is the scope's. Its end
// closes all but the connections.
var scopeLeaks = []leak{
	{name: "rows of a scope", shows: "rows with the scope's context", kind: tracker.KindRows, known: atScopeEnd, plant: func(a *app) error {
		rows, err := a.db.QueryContext(a.ctx, "SELECT id FROM item") // place: rows of a scope
		if err == nil {
			rows.Next()
		}
		return err
	}},
	{name: "many rows of a scope", shows: "more of them than the driver has fetched", kind: tracker.KindRows, known: atScopeEnd, plant: func(a *app) error {
		rows, err := a.db.QueryContext(a.ctx, "SELECT a.id FROM item a, item b, item c") // place: many rows of a scope
		if err == nil {
			rows.Next()
		}
		return err
	}},
	{name: "rows with an argument of a scope", shows: "rows of a query that some drivers prepare", kind: tracker.KindRows, known: atScopeEnd, plant: func(a *app) error {
		_, err := a.db.QueryContext(a.ctx, a.bind("SELECT id FROM item WHERE id > ?"), 1) // place: rows with an argument of a scope
		return err
	}},
	{name: "row of a scope", shows: "a QueryRow without Scan", kind: tracker.KindRow, known: atScopeEnd, plant: func(a *app) error {
		return a.db.QueryRowContext(a.ctx, "SELECT id FROM item").Err() // place: row of a scope
	}},
	{name: "transaction of a scope", shows: "a transaction that is neither committed nor rolled back", kind: tracker.KindTx, known: atScopeEnd, plant: func(a *app) error {
		_, err := a.db.BeginTx(a.ctx, nil) // place: transaction of a scope
		return err
	}},
	{name: "transaction with rows of a scope", shows: "rows in a transaction are part of it", kind: tracker.KindTx, known: atScopeEnd, plant: func(a *app) error {
		tx, err := a.db.BeginTx(a.ctx, nil) // place: transaction with rows of a scope
		if err == nil {
			_, err = tx.Query("SELECT id FROM item")
		}
		return err
	}},
	{name: "conn of a scope", shows: "a Conn, which no context closes", kind: tracker.KindConn, known: atScopeEnd, plant: func(a *app) error {
		conn, err := a.db.Conn(a.ctx) // place: conn of a scope
		a.leftovers = append(a.leftovers, conn.Close)
		return err
	}},
	{name: "conn with a transaction of a scope", shows: "a Conn and the transaction on it are one", kind: tracker.KindConn, known: atScopeEnd, plant: func(a *app) error {
		conn, err := a.db.Conn(a.ctx) // place: conn with a transaction of a scope
		if err == nil {
			_, err = conn.BeginTx(a.ctx, nil)
		}
		a.leftovers = append(a.leftovers, func() error {
			if err := conn.Close(); !errors.Is(err, sql.ErrConnDone) {
				return err
			}
			return nil // a driver may give up a connection with its transaction
		})
		return err
	}},
}
