package session

import (
	"slices"
	"strings"
	"testing"
)

// result is what is known of a session after a text, when nothing, or all, was
// known before.
func result(text string, d Dialect) (begun, kept Aspect) {
	kept = All
	for _, e := range Effects(text, d) {
		if e.Name == "" || e.Begins != 0 {
			kept &^= e.Ends
			begun &^= e.Ends
		}
		begun |= e.Begins
	}
	return begun, kept
}

func TestEffects(t *testing.T) {
	for _, tt := range []struct {
		d     Dialect
		text  string
		begun Aspect
		ended Aspect // of what was there before
	}{
		{MySQL, "BEGIN", Tx, Tx | Tables},
		{MySQL, " begin work ;", Tx, Tx | Tables},
		{MySQL, "START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT", Tx, Tx | Tables},
		{MySQL, "BEGIN NOT ATOMIC SELECT 1; START TRANSACTION; END", 0, All},
		{MySQL, "BEGIN; INSERT INTO t VALUES (1); COMMIT", 0, Tx | Tables},
		{MySQL, "COMMIT; BEGIN", Tx, Tx | Tables},
		{MySQL, "COMMIT", 0, Tx},
		{MySQL, "COMMIT AND CHAIN", 0, 0},
		{MySQL, "COMMIT AND NO CHAIN RELEASE", 0, Tx},
		{MySQL, "ROLLBACK", 0, Tx | Setting | Listen},
		{MySQL, "ROLLBACK WORK TO SAVEPOINT a", 0, 0},
		{MySQL, "ROLLBACK TO a", 0, 0},
		{MySQL, "SAVEPOINT a", 0, 0},
		{MySQL, "XA START 'x'", Tx, 0},
		{MySQL, "XA END 'x'", 0, 0},
		{MySQL, "XA PREPARE 'x'", 0, Tx},
		{MySQL, "XA COMMIT 'x' ONE PHASE", 0, Tx},
		{MySQL, "SET autocommit=0", Autocommit, 0},
		{MySQL, "SET AUTOCOMMIT = OFF", Autocommit, 0},
		{MySQL, "SET @@session.autocommit := false", Autocommit, 0},
		{MySQL, "SET SESSION `autocommit` = 0, @x = 1", Autocommit, 0},
		{MySQL, "SET LOCAL autocommit = 0", Autocommit, 0},
		{MySQL, "SET @@GLOBAL.autocommit = 0", 0, 0},
		{MySQL, "SET GLOBAL autocommit = 0", 0, 0},
		{MySQL, "SET @autocommit = 0", 0, 0},
		{MySQL, "SET autocommit = 1", 0, Tx | Autocommit},
		{MySQL, "SET autocommit = @old", 0, Tx | Autocommit},
		{MySQL, "SET autocommit = 0 + 1", 0, Tx | Autocommit},
		{MySQL, "SET autocommit = ?", 0, Tx | Autocommit},
		{MySQL, "LOCK TABLES t WRITE, u READ", Tables, Tx},
		{MySQL, "LOCK TABLE t WRITE", Tables, Tx},
		{MySQL, "UNLOCK TABLES", 0, Tx | Tables},
		{MySQL, "FLUSH TABLES WITH READ LOCK", Tables, Tx},
		{MySQL, "FLUSH STATUS", 0, Tx},
		{MySQL, "CREATE TABLE t (id INT)", 0, Tx},
		{MySQL, "TRUNCATE t", 0, Tx},
		{MySQL, "CREATE PROCEDURE p() BEGIN DECLARE x INT; START TRANSACTION; END", 0, All},
		{MySQL, "CALL p()", 0, All},
		{MySQL, "IF 1 THEN START TRANSACTION; END IF", 0, All},
		{MySQL, "INSERT INTO t VALUES (1)", 0, 0},
		{MySQL, "SELECT GET_LOCK('a', 10)", TryLock, 0},
		{MySQL, "SELECT GET_LOCK('a', 10), RELEASE_LOCK('b')", 0, Lock | TryLock},
		{MySQL, "SELECT RELEASE_LOCK('a')", 0, Lock | TryLock},
		{MySQL, "DO RELEASE_ALL_LOCKS()", 0, Lock | TryLock},
		{MySQL, "SET SESSION sql_mode = 'ANSI'", Setting, 0},
		{MySQL, "SET time_zone = '+00:00', unique_checks = 0", Setting, 0},
		{MySQL, "SET unique_checks = 0, autocommit = 0", Setting | Autocommit, 0},
		{MySQL, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", 0, 0},
		{MySQL, "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", Setting, 0},
		{MySQL, "SET PASSWORD = 'x'", 0, All},
		{MySQL, "SET STATEMENT max_statement_time = 1 FOR COMMIT", 0, All},
		{MySQL, "USE shop", Setting, 0},
		{MySQL, "/* name: x */ BEGIN", Tx, Tx | Tables},
		{MySQL, "-- name\n# and\nBEGIN", Tx, Tx | Tables},
		{MySQL, "--BEGIN", 0, 0},
		{MySQL, "SELECT 1 --1\n; BEGIN", Tx, Tx | Tables},
		{MySQL, "/*!40000 BEGIN */", 0, All},
		{MySQL, `SELECT 'it\'s; BEGIN; --'`, 0, All}, // where NO_BACKSLASH_ESCAPES decides
		{MySQL, `INSERT INTO t VALUES ('; BEGIN; ')`, 0, 0},
		{MySQL, `INSERT INTO t VALUES ("; COMMIT; ")`, 0, 0},
		{MySQL, "INSERT INTO t VALUES ('open", 0, All},
		{MySQL, "SELECT 1 # ; COMMIT", 0, 0},
		{MySQL, "SELECT `; COMMIT` FROM t", 0, 0},
		{MySQL, "frobnicate", 0, All},

		{Postgres, "BEGIN", Tx, 0},
		{Postgres, "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY", Tx, 0},
		{Postgres, "BEGIN TRANSACTION NOT DEFERRABLE", Tx, 0},
		{Postgres, "begin; create table t (); commit;", 0, Tx},
		{Postgres, "START TRANSACTION", Tx, 0},
		{Postgres, "END", 0, Tx},
		{Postgres, "END AND CHAIN", 0, 0},
		{Postgres, "ABORT WORK", 0, Tx | Setting | Listen},
		{Postgres, "ROLLBACK TRANSACTION TO SAVEPOINT a", 0, 0},
		{Postgres, "COMMIT PREPARED 'x'", 0, 0},
		{Postgres, "PREPARE TRANSACTION 'x'", 0, Tx},
		{Postgres, "PREPARE q AS SELECT 1", 0, 0},
		{Postgres, "SELECT pg_advisory_lock(1)", Lock, 0},
		{Postgres, "select pg_catalog.pg_advisory_lock_shared(hashtext($1))", Lock, 0},
		{Postgres, "SELECT pg_advisory_lock(id) FROM t", 0, 0},
		{Postgres, "SELECT pg_advisory_lock(CASE WHEN true THEN 1 END)", 0, 0},
		{Postgres, "SELECT pg_advisory_xact_lock(1)", 0, 0},
		{Postgres, "SELECT pg_try_advisory_lock(1)", TryLock, 0},
		{Postgres, "SELECT pg_advisory_lock(1), pg_advisory_unlock(1)", 0, Lock | TryLock},
		{Postgres, "WITH x AS (SELECT pg_advisory_unlock(1)) SELECT * FROM x", 0, Lock | TryLock},
		{Postgres, "SELECT pg_advisory_unlock_all()", 0, Lock | TryLock},
		{Postgres, "LOCK TABLE t IN SHARE MODE", 0, 0},
		{Postgres, "SET search_path TO a, b", Setting, 0},
		{Postgres, "SET SESSION search_path = a", Setting, 0},
		{Postgres, "SET LOCAL search_path = a", 0, 0},
		{Postgres, "SET TRANSACTION READ ONLY", 0, 0},
		{Postgres, "SET ROLE admin", Setting, 0},
		{Postgres, "RESET ALL", 0, Setting},
		{Postgres, "DISCARD ALL", 0, All},
		{Postgres, "DISCARD PLANS", 0, 0},
		{Postgres, "SELECT set_config('a.b', 'c', false)", 0, Setting},
		{Postgres, "LISTEN orders", Listen, 0},
		{Postgres, "UNLISTEN *", 0, Listen},
		{Postgres, "DO $$ BEGIN PERFORM 1; COMMIT; END $$", 0, All &^ Tx},
		{Postgres, "CREATE FUNCTION f() RETURNS int AS $f$ BEGIN; COMMIT; $f$ LANGUAGE plpgsql", 0, 0},
		{Postgres, "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; BEGIN; END", 0, All},
		{Postgres, "INSERT INTO t VALUES ($1); BEGIN", Tx, 0},
		{Postgres, "INSERT INTO t VALUES (E'a\\\\'); BEGIN", Tx, 0},
		{Postgres, "SELECT '\\'; BEGIN --'", 0, All},
		{Postgres, "SELECT 1 /* a /* b */ ; COMMIT; */; BEGIN", Tx, 0},
		{Postgres, "SELECT 1 # 2; COMMIT", 0, Tx},
		{Postgres, `SELECT "; COMMIT" FROM t`, 0, 0},

		{SQLite, "BEGIN IMMEDIATE TRANSACTION", Tx, 0},
		{SQLite, "BEGIN DEFERRED", Tx, 0},
		{SQLite, "END TRANSACTION", 0, Tx},
		{SQLite, "ROLLBACK TO a", 0, 0},
		{SQLite, "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END", 0, All},
		{SQLite, "CREATE TABLE t (id)", 0, 0},
		{SQLite, "PRAGMA foreign_keys = OFF", 0, 0},
		{SQLite, "INSERT INTO t VALUES ('\\'); BEGIN", Tx, 0},
		{SQLite, "SELECT [; COMMIT] FROM t", 0, 0},
		{SQLite, "SELECT 1 /* a /* b */; BEGIN", Tx, 0},

		{Unknown, "BEGIN", 0, 0},
		{Postgres, "BEGIN" + strings.Repeat(" ", 1<<18), 0, All},
	} {
		begun, kept := result(tt.text, tt.d)
		if begun != tt.begun || All&^kept != tt.ended {
			t.Errorf("dialect %d, %.200q: begins %b, ends %b; want %b, %b", tt.d, tt.text, begun, All&^kept, tt.begun, tt.ended)
		}
		if begun != 0 && Plain(tt.text) && !strings.Contains(tt.text, ";") {
			t.Errorf("%.200q begins something, and is taken for plain", tt.text)
		}
	}
}

// The names of settings tell whether what was changed is changed back.
func TestSettingNames(t *testing.T) {
	for _, tt := range []struct {
		d    Dialect
		text string
		want []Effect
	}{
		{MySQL, "SET time_zone = '+00:00', @@unique_checks = 0", []Effect{{Begins: Setting, Name: "time_zone"}, {Begins: Setting, Name: "unique_checks"}}},
		{MySQL, "SET sql_mode = concat('a', 'b'), Sql_Log_Bin = DEFAULT", []Effect{{Begins: Setting, Name: "sql_mode"}, {Ends: Setting, Name: "sql_log_bin"}}},
		{MySQL, "SET NAMES utf8mb4", []Effect{{Begins: Setting, Name: "names"}}},
		{MySQL, "SET ROLE NONE", []Effect{{Ends: Setting, Name: "role"}}},
		{Postgres, "SET app.user = 'x'", []Effect{{Begins: Setting, Name: "app.user"}}},
		{Postgres, "SET app.user TO DEFAULT", []Effect{{Ends: Setting, Name: "app.user"}}},
		{Postgres, "RESET app.user", []Effect{{Ends: Setting, Name: "app.user"}}},
		{Postgres, "SET TIME ZONE 'UTC'", []Effect{{Begins: Setting, Name: "timezone"}}},
		{Postgres, "RESET timezone", []Effect{{Ends: Setting, Name: "timezone"}}},
		{Postgres, "SET ROLE NONE", []Effect{{Ends: Setting, Name: "role"}}},
		{Postgres, "RESET ROLE", []Effect{{Ends: Setting, Name: "role"}}},
		{Postgres, "SET SESSION AUTHORIZATION joe", []Effect{{Begins: Setting, Name: "authorization"}}},
		{Postgres, "RESET SESSION AUTHORIZATION", []Effect{{Ends: Setting, Name: "authorization"}}},
		{Postgres, "RESET ALL", []Effect{{Ends: Setting}}},
	} {
		if got := Effects(tt.text, tt.d); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %+v, want %+v", tt.text, got, tt.want)
		}
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                     true,
		"SE":                                   true,
		"S":                                    true,
		"SELECT 1":                             true,
		"SELECT":                               true,
		"select\n\tprice FROM t":               true,
		"SELECT pg_advisory_lock(1)":           false,
		"SELECT GET_LOCK('a', 1)":              false,
		"INSERT INTO t VALUES (1)":             true,
		"UPDATE t SET a = 1":                   true,
		"DELETE FROM t":                        true,
		"WITH x AS (SELECT 1) SELECT 1":        true,
		"-- name: Get :one\nSELECT a FROM t":   true,
		"/* trace */ SELECT a FROM t":          true,
		"/* trace */ BEGIN":                    false,
		"-- a\n-- b\n  START TRANSACTION":      false,
		"/* open":                              true,
		"USE shop":                             false,
		"   BEGIN":                             false,
		"SET a=1":                              false,
		"SAVEPOINT a":                          true,
		strings.Repeat("-- a\n", 9) + "SELECT": false, // says that it may not be
	} {
		if Plain(text) != want {
			t.Errorf("Plain(%q) = %v", text, !want)
		}
		if Everyday(text) && !want {
			t.Errorf("%q is taken for everyday", text)
		}
	}
}

func TestEveryday(t *testing.T) {
	for text, want := range map[string]bool{
		"SELECT id FROM item": true, "select *": true, "SELECT ?": true, "insert into t": true, "UPDATE item": true, "Delete from": true,
		"WITH x AS (SELECT 1)": true,
		"SELECT price FROM t":  false, "SELECT  pg_advisory_lock(1)": false, "SELECT (pg_advisory_lock(1))": false,
		"use shop": false, "USE xdrop": false, "BEGIN WORK": false, "SET autocommit = 0": false, "START TRANSACTION": false, "SELECT": false,
	} {
		if Everyday(text) != want {
			t.Errorf("Everyday(%q) = %v", text, !want)
		}
	}
}

func TestPlainAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Plain("-- name: Get :one\nSELECT a FROM t") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDialectOf(t *testing.T) {
	for name, want := range map[string]Dialect{
		"github.com/go-sql-driver/mysql": MySQL, "mysql-watched": MySQL,
		"github.com/jackc/pgx/v5/stdlib": Postgres, "github.com/lib/pq": Postgres, "postgres": Postgres,
		"modernc.org/sqlite": SQLite, "github.com/mattn/go-sqlite3": SQLite,
		"github.com/DATA-DOG/go-sqlmock": Unknown, "github.com/microsoft/go-mssqldb": Unknown, "": Unknown,
	} {
		if got := DialectOf(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

// What stands in a literal or in a comment has no effect, whatever it is.
func FuzzEffects(f *testing.F) {
	f.Add("BEGIN; COMMIT", "; COMMIT; BEGIN")
	f.Add("SET autocommit = 0, a = concat('(', x)", "$$ '' /* */ \\")
	f.Add("CREATE FUNCTION f() AS $a$ x $a$", "\x00--\n#")
	f.Fuzz(func(t *testing.T, text, hidden string) {
		if everyday, plain := Everyday(text), Plain(text); everyday && !plain {
			t.Errorf("%q is everyday, but not plain", text)
		}
		for d := range SQLite + 1 {
			Effects(text, d)
			literal := strings.ReplaceAll(strings.ReplaceAll(hidden, `\`, ""), "'", "''")
			if got := Effects("INSERT INTO t VALUES ('"+literal+"')", d); len(got) > 0 {
				t.Errorf("dialect %d: literal %q: %+v", d, literal, got)
			}
			comment := strings.NewReplacer("*", "", "/", "", "!", "").Replace(hidden)
			if got := Effects("INSERT /* "+comment+" */ INTO t VALUES (1)", d); len(got) > 0 {
				t.Errorf("dialect %d: comment %q: %+v", d, comment, got)
			}
		}
	})
}

func BenchmarkPlain(b *testing.B) {
	for name, text := range map[string]string{
		"select": "SELECT id, name FROM item WHERE id = ?", "insert": "INSERT INTO item VALUES (?, ?)",
		"sqlc": "-- name: GetItem :one\nSELECT id FROM item WHERE id = ?",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_ = Everyday(text) || Plain(text)
			}
		})
	}
}
