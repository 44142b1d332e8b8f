package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/dbleaks-go/dbleaks/internal/dbserver"
)

// startServer starts a private MariaDB or MySQL server. It returns
// dbserver.ErrNotInstalled if there is none to start.
func startServer(ctx context.Context) (*database, error) {
	server, err := dbserver.StartMariaDB(ctx, dbserver.Options{})
	if err != nil {
		return nil, err
	}
	what, err := version(ctx, server.DSN)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return &database{what: "a private " + what, driver: "mysql", dsn: server.DSN, close: server.Close}, nil
}

// useServer uses somebody's server, and leaves what is there alone: the shop
// gets a schema of its own, which is dropped in the end. The errors name the
// flag and never the password.
func useServer(ctx context.Context, dsn string) (*database, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("-dsn: %w (it looks like user:password@tcp(127.0.0.1:3306)/)", err)
	}
	// A server that doesn't answer should say so before one loses patience.
	cfg.Timeout = 5 * time.Second
	admin := cfg.FormatDSN()
	what, err := version(ctx, admin)
	if err != nil {
		return nil, fmt.Errorf("-dsn: can't use the server at %s: %w", cfg.Addr, err)
	}
	schema := "dbleaks_demo_" + rand.Text()[:8]
	if err := exec(ctx, admin, "CREATE DATABASE "+schema); err != nil {
		return nil, fmt.Errorf("-dsn: the demo makes its tables in a database of its own, which this account may not create: %w", err)
	}
	cfg.DBName = schema
	return &database{
		what: "the " + what + " at " + cfg.Addr, driver: "mysql", dsn: cfg.FormatDSN(),
		close: func() error { return dropSchema(admin, schema) },
	}, nil
}

// dropSchema drops the shop's schema, for which the transactions that the shop
// has lost must end first: they hold locks on its tables.
func dropSchema(dsn, schema string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT id FROM information_schema.processlist WHERE db = ?", schema)
	if err != nil {
		return err
	}
	defer rows.Close()
	var lost []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		lost = append(lost, id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, id := range lost {
		// The connection may have gone by itself meanwhile; if it hasn't, the
		// drop fails and says so.
		_, _ = db.ExecContext(ctx, fmt.Sprint("KILL ", id))
	}
	_, err = db.ExecContext(ctx, "DROP DATABASE "+schema)
	return err
}

// version asks a server what it is, e.g. "MariaDB 10.11.19".
func version(ctx context.Context, dsn string) (string, error) {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return "", err
	}
	defer db.Close()
	var v string
	if err := db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&v); err != nil {
		return "", err
	}
	return serverName(v), nil
}

// serverName makes "MariaDB 10.11.19" of "10.11.19-MariaDB-deb12" and "MySQL
// 8.4.0" of "8.4.0".
func serverName(version string) string {
	number, _, _ := strings.Cut(version, "-")
	if strings.Contains(version, "MariaDB") {
		return "MariaDB " + number
	}
	return "MySQL " + number
}

func exec(ctx context.Context, dsn, statement string) error {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}
