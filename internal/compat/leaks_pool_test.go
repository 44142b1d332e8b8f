package compat

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

var poolLeaks = []leak{
	{name: "conn without close", kind: tracker.KindConn, plant: connWithoutClose},
	{name: "prepare per call", kind: tracker.KindStmt, grows: true, plant: preparePerCall},
	{name: "cache overwrites", kind: tracker.KindStmt, grows: true, plant: cacheOverwrites},
	{name: "open per request", kind: tracker.KindDB, grows: true, plant: openPerRequest},
	{name: "ping fails", kind: tracker.KindDB, grows: true, plant: pingFails},
}

func connWithoutClose(a *app) error {
	conn, err := a.db.Conn(a.ctx) // place: conn without close
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(a.ctx, "no such statement"); err != nil {
		return fmt.Errorf("%w: %w", errPlanted, err)
	}
	return conn.Close()
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

func openPerRequest(a *app) error {
	db, err := driverwrap.Open(a.driver, a.source, driverwrap.WithTracker(a.tracker)) // place: open per request
	if err != nil {
		return err
	}
	a.leftovers = append(a.leftovers, db.Close)
	var name string
	return db.QueryRowContext(a.ctx, "SELECT name FROM item WHERE id = 1").Scan(&name)
}

func pingFails(a *app) error {
	source := strings.Replace(a.source, "/dbleaks", "/no_such_database", 1)
	if a.server == "" {
		source = "file:/no/such/folder/test.db"
	}
	db, err := driverwrap.Open(a.driver, source, driverwrap.WithTracker(a.tracker)) // place: ping fails
	if err != nil {
		return err
	}
	a.leftovers = append(a.leftovers, db.Close)
	if err := db.PingContext(context.WithoutCancel(a.ctx)); err != nil {
		return fmt.Errorf("%w: %w", errPlanted, err)
	}
	return fmt.Errorf("connected to %s", source)
}
