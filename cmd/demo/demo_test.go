package main

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/dbserver"
)

// TestDemo runs the whole demo until every planted bug is found and every
// look-alike has run, on each kind of database.
func TestDemo(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		tmp := t.TempDir()
		t.Setenv("TMPDIR", tmp)
		out := runDemo(t, options{sqlite: true})
		if !strings.Contains(out, "an embedded SQLite") {
			t.Errorf("not on SQLite:\n%s", out)
		}
		left, err := os.ReadDir(tmp)
		if err != nil || len(left) > 0 {
			t.Errorf("left in the temporary directory: %v, %v", left, err)
		}
	})
	t.Run("private server", func(t *testing.T) {
		out := runDemo(t, options{})
		if !strings.Contains(out, "a private MariaDB ") {
			t.Errorf("not on a private MariaDB server: as root, apt-get install -y --no-install-recommends mariadb-server\n%s", out)
		}
	})
	t.Run("dsn", func(t *testing.T) {
		server, err := dbserver.StartMariaDB(t.Context(), dbserver.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		}()
		_, err = openDatabase(t.Context(), options{dsn: server.DSN})
		if err == nil || !strings.Contains(err.Error(), "-dsn") || strings.Contains(err.Error(), server.App.Password) {
			t.Errorf("an account that may not create databases: %v, want an error that names -dsn and no password", err)
		}
		before := schemas(t, server.AdminDSN)
		out := runDemo(t, options{dsn: server.AdminDSN})
		if !strings.Contains(out, "the MariaDB ") {
			t.Errorf("not on the given server:\n%s", out)
		}
		if after := schemas(t, server.AdminDSN); after != before {
			t.Errorf("schemas after the demo: %s; before: %s", after, before)
		}
	})
}

// runDemo runs the demo until it is complete and returns what it printed.
func runDemo(t *testing.T, o options) string {
	t.Helper()
	o.addr = "127.0.0.1:0"
	// Complete within a few seconds, or many on a machine with much to do.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out, log bytes.Buffer
	complete := false
	d := &demo{options: o, screen: newScreen(&out, false), log: &log}
	d.complete = func() { complete = true; cancel() }
	err := d.run(ctx)
	if err != nil || !complete || !strings.Contains(out.String(), "All found") || !strings.Contains(out.String(), ", 0 failed;") ||
		!strings.Contains(out.String(), "self-test      passed: ") {
		t.Fatalf("complete: %t; error: %v; output:\n%s", complete, err, out.String())
	}
	return out.String()
}

func schemas(t *testing.T, dsn string) (names string) {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.QueryRow("SELECT GROUP_CONCAT(schema_name ORDER BY schema_name) FROM information_schema.schemata").Scan(&names)
	if err != nil {
		t.Fatal(err)
	}
	return names
}
