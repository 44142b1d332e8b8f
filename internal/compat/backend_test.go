package compat

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"

	"github.com/dbleaks-go/dbleaks/internal/dbserver"
)

// servers are the running servers, by name.
var servers = map[string]*dbserver.Server{}

// backend is a driver and what it connects to.
type backend struct {
	name   string // of subtests
	driver string // as registered
	server string // key of servers; empty for a database in a file
	// numbered tells that placeholders are $1, $2, … and not ?.
	numbered bool
	blob     string // the type of bytes
	// endless is a query that runs until it is cancelled, or for a minute.
	endless string
	// session asks for the number of the session, with which another one
	// ends it, by kill, and learns whether it is there, by alive.
	session, kill, alive string
}

const (
	mariaDB  = "MariaDB"
	postgres = "PostgreSQL"
)

var (
	mysqlBackend = &backend{
		name: "mysql", driver: "mysql", server: mariaDB, blob: "BLOB",
		endless: "SELECT SLEEP(60)",
		session: "SELECT CONNECTION_ID()", kill: "KILL %d",
		alive: "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = %d",
	}
	pgxBackend    = postgresBackend("pgx", "pgx")
	pqBackend     = postgresBackend("pq", "postgres")
	sqliteBackend = &backend{
		name: "sqlite", driver: "sqlite", blob: "BLOB",
		endless: "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT COUNT(*) FROM c",
	}

	backends       = []*backend{mysqlBackend, pgxBackend, pqBackend, sqliteBackend}
	serverBackends = backends[:3]
)

func postgresBackend(name, driver string) *backend {
	return &backend{
		name: name, driver: driver, server: postgres, numbered: true, blob: "BYTEA",
		endless: "SELECT pg_sleep(60)",
		session: "SELECT pg_backend_pid()", kill: "SELECT pg_terminate_backend(%d)",
		alive: "SELECT COUNT(*) FROM pg_stat_activity WHERE pid = %d",
	}
}

// onEach runs a test on each of the backends.
func onEach(t *testing.T, on []*backend, test func(t *testing.T, b *backend)) {
	t.Helper()
	for _, b := range on {
		t.Run(b.name, func(t *testing.T) { test(t, b) })
	}
}

// items is the number of rows in the table item.
const items = 100

// prepare makes the tables of the tests in the backend's server: item, which
// is for reading, and note, which is empty.
func (b *backend) prepare(ctx context.Context) error {
	if b.server == "" || b == pqBackend { // pgx has been there
		return nil
	}
	return fill(ctx, b.driver, servers[b.server].DSN)
}

func fill(ctx context.Context, driverName, dsn string) (err error) {
	db, err := sql.Open(driverName, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	insert := "INSERT INTO item VALUES (1, 'item 1', 10)"
	for i := 2; i <= items; i++ {
		insert += fmt.Sprintf(", (%d, 'item %d', %d)", i, i, 10*i)
	}
	for _, s := range []string{
		"CREATE TABLE item (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, price INTEGER NOT NULL)",
		insert,
		"CREATE TABLE note (id INTEGER PRIMARY KEY, body VARCHAR(200))",
	} {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// dsn is where tests connect to. An embedded database is each test's own.
func (b *backend) dsn(t *testing.T) string {
	if b.server != "" {
		return servers[b.server].DSN
	}
	// In WAL mode readers don't keep writers out, as on a server. Who comes first
	// makes the index of the log, and others have to wait for that.
	dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"
	if err := fill(t.Context(), b.driver, dsn); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// connector is the bare driver's connector, as sql.Open would use it.
func (b *backend) connector(dsn string) (driver.Connector, error) {
	db, err := sql.Open(b.driver, dsn)
	if err != nil {
		return nil, err
	}
	d := db.Driver()
	if err := db.Close(); err != nil {
		return nil, err
	}
	if dc, ok := d.(driver.DriverContext); ok {
		return dc.OpenConnector(dsn)
	}
	return openConnector{d, dsn}, nil
}

// openConnector is database/sql's dsnConnector, which it doesn't export.
type openConnector struct {
	driver driver.Driver
	dsn    string
}

func (c openConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c openConnector) Driver() driver.Driver                        { return c.driver }

// slow is a statement that takes the server so long.
func (b *backend) slow(d time.Duration) string {
	if b.server == mariaDB {
		return fmt.Sprintf("DO SLEEP(%.3f)", d.Seconds())
	}
	return fmt.Sprintf("SELECT pg_sleep(%.3f)", d.Seconds())
}

var placeholder = regexp.MustCompile(`\?`)

// bind writes the placeholders of a query, question marks, as the backend
// wants them.
func (b *backend) bind(query string) string {
	if !b.numbered {
		return query
	}
	n := 0
	return placeholder.ReplaceAllStringFunc(query, func(string) string {
		n++
		return fmt.Sprintf("$%d", n)
	})
}
