package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/dbleaks-go/dbleaks/internal/dbserver"
)

// database is where the shop's tables are: at the server of -dsn, at a server
// of the demo's own, or in a file.
type database struct {
	what   string // for people
	driver string
	dsn    string
	close  func() error // removes the tables, the server, the file
}

// openDatabase finds the best database there is and makes the shop's tables.
func openDatabase(ctx context.Context, o options) (*database, error) {
	var d *database
	var err error
	switch {
	case o.dsn != "":
		d, err = useServer(ctx, o.dsn)
	case o.sqlite:
		d, err = useSQLite()
	default:
		d, err = startServer(ctx)
		if errors.Is(err, dbserver.ErrNotInstalled) {
			d, err = useSQLite()
			break
		}
		if err != nil {
			err = fmt.Errorf("%w\n(with -sqlite the demo needs no server)", err)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := createTables(ctx, d); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// useSQLite makes a database in a temporary directory.
func useSQLite() (*database, error) {
	dir, err := os.MkdirTemp("", "dbleaks-demo-")
	if err != nil {
		return nil, err
	}
	remove := func() error {
		err := os.RemoveAll(dir)
		if runtime.GOOS == "windows" {
			return nil // it keeps files that are open, as the leaks' are
		}
		return err
	}
	// With a write-ahead log, rows that are never closed don't lock out
	// those who write. Writers wait for each other.
	const settings = "?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)"
	dsn := "file:" + filepath.ToSlash(filepath.Join(dir, "shop.db")) + settings
	return &database{what: "an embedded SQLite", driver: "sqlite", dsn: dsn, close: remove}, nil
}

// createTables makes the shop's tables and puts something in them. It uses a
// plain sql.DB: this is no part of what the demo watches.
func createTables(ctx context.Context, d *database) error {
	db, err := sql.Open(d.driver, d.dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	autoID := "INTEGER PRIMARY KEY AUTOINCREMENT"
	if d.driver == "mysql" {
		autoID = "INTEGER PRIMARY KEY AUTO_INCREMENT"
	}
	for _, statement := range schema(autoID) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}
