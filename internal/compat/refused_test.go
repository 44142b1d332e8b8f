package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/lib/pq"
	"modernc.org/sqlite"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/dbserver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// The limits of the servers that refuse.
const (
	maxConns = 10
	maxStmts = 20
)

// stingy are servers of these tests, with little of everything.
func stingy(t *testing.T) (dsn map[string]string) {
	t.Helper()
	dsn = make(map[string]string)
	for name, start := range map[string]func(context.Context) (*dbserver.Server, error){
		mariaDB: func(ctx context.Context) (*dbserver.Server, error) {
			return dbserver.StartMariaDB(ctx, dbserver.Options{
				MaxConnections: maxConns, Args: []string{fmt.Sprint("--max-prepared-stmt-count=", maxStmts)},
			})
		},
		postgres: func(ctx context.Context) (*dbserver.Server, error) {
			return dbserver.StartPostgres(ctx, dbserver.Options{MaxConnections: maxConns})
		},
	} {
		s, err := start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		dsn[name] = s.DSN
	}
	return dsn
}

// hungry is a program that asks a database for too much.
type hungry struct {
	*backend
	t       *testing.T
	dsn     string
	tracker *tracker.Tracker
	events  *eventLog
	dbs     []*sql.DB
}

func newHungry(t *testing.T, b *backend, dsn string) *hungry {
	t.Helper()
	h := &hungry{backend: b, t: t, dsn: dsn, events: new(eventLog)}
	var err error
	if h.tracker, err = tracker.New(tracker.WithObserver(h.events), oftenSwept); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.closeAll)
	return h
}

func (h *hungry) open() *sql.DB {
	h.t.Helper()
	db, err := driverwrap.Open(h.driver, h.dsn, driverwrap.WithTracker(h.tracker), driverwrap.WithName("shop"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.dbs = append(h.dbs, db)
	return db
}

func (h *hungry) closeAll() {
	for _, db := range h.dbs {
		if err := db.Close(); err != nil {
			h.t.Error(err)
		}
	}
	h.dbs = nil
}

// bare does the same on a DB that nobody watches.
func (h *hungry) bare(use func(db *sql.DB) error) error {
	h.t.Helper()
	db, err := sql.Open(h.driver, h.dsn)
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	return use(db)
}

// wantRefusal waits for the event, and checks it against the snapshot and the
// error, which is to be that of the bare driver.
func (h *hungry) wantRefusal(what tracker.Resource, code string, err, bare error) tracker.Refusal {
	h.t.Helper()
	if got, want := anatomy(err), anatomy(bare); got != want {
		h.t.Errorf("the error is\n%s\nand of the bare driver\n%s", got, want)
	}
	var told []tracker.Event
	eventually(h.t, "an event", func() bool {
		// The DBs may be found to grow in number before.
		told = slices.DeleteFunc(h.events.all(), func(e tracker.Event) bool { return e.Refused == nil })
		return len(told) > 0
	})
	if len(told) != 1 || told[0].Kind != tracker.EventRefused {
		h.t.Fatalf("%+v", told)
	}
	s := h.tracker.Snapshot().Refusals
	if len(s) != 1 {
		h.t.Fatalf("%+v", s)
	}
	if r := s[0]; r.Pool != "shop" || r.What != what || r.Code != code || r.Over || r.Advice == "" || !strings.Contains(r.Reason, code) {
		h.t.Errorf("%+v", r)
	}
	h.t.Logf("%s; %s", s[0].Reason, s[0].Advice)
	return s[0]
}

func (h *hungry) wantHolder(r tracker.Refusal, i int, kind tracker.Kind, place string, count int) {
	h.t.Helper()
	if len(r.Holders) <= i {
		h.t.Fatalf("holders %+v", r.Holders)
	}
	if x := r.Holders[i]; x.Kind != kind || !at(x.Site, placeOf(h.t, place)) || x.Count != count {
		h.t.Errorf("holder %d is %+v, want %d × %v of %q", i, x, count, kind, place)
	}
}

// anatomy is what an error is made of, and whether it is found in it.
func anatomy(err error) string {
	var s strings.Builder
	var asMySQL *mysql.MySQLError
	var asPg *pgconn.PgError
	var asConnect *pgconn.ConnectError
	var asPq *pq.Error
	var asSQLite *sqlite.Error
	fmt.Fprintln(&s, errors.As(err, &asMySQL), errors.As(err, &asPg), errors.As(err, &asConnect), errors.As(err, &asPq), errors.As(err, &asSQLite))
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&s, "%T %v\n", err, err)
	}
	// MariaDB says it, or not, as it likes.
	return strings.ReplaceAll(s.String(), " (08004)", "")
}

var refusedCode = map[string]string{mariaDB: "MySQL 1040", postgres: "SQLSTATE 53300"}

// A DB for each request, never closed, until the server has no connection left;
// and rows of two that were never closed either.
func TestRefusedConnections(t *testing.T) {
	dsn := stingy(t)
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		h := newHungry(t, b, dsn[b.server])
		var rows []*sql.Rows
		var err error
		for n := 0; err == nil && n <= maxConns+1; n++ {
			db := h.openForRequest()
			if n >= 2 {
				err = db.Ping()
				continue
			}
			var lost *sql.Rows
			if lost, err = db.Query("SELECT 1"); err == nil { // place: loses rows of its own DB
				rows = append(rows, lost)
			}
		}
		if err == nil {
			t.Fatal("the server refuses nothing")
		}
		bare := h.bare(func(db *sql.DB) error { return db.Ping() })
		r := h.wantRefusal(tracker.ResourceConnections, refusedCode[b.server], err, bare)
		if r.Count != 1 || r.InUse != 2 || r.Idle < 7 || r.DBs != r.InUse+r.Idle || len(r.Holders) != 2 {
			t.Errorf("%+v", r)
		}
		h.wantHolder(r, 0, tracker.KindDB, "opens a DB for a request", r.Idle)
		h.wantHolder(r, 1, tracker.KindRows, "loses rows of its own DB", 2)
		if !strings.Contains(r.Advice, "once per process") {
			t.Errorf("advice %q", r.Advice)
		}
		for _, lost := range rows {
			if err := lost.Close(); err != nil {
				t.Error(err)
			}
		}
		h.closeAll()
		testRefusedByOneDB(t, newHungry(t, b, dsn[b.server]))
	})
	t.Run("statements", func(t *testing.T) { testRefusedStatements(t, newHungry(t, mysqlBackend, dsn[mariaDB])) })
}

// A DB without a limit, of which connections are never given back.
func testRefusedByOneDB(t *testing.T, h *hungry) {
	ping := func(db *sql.DB) error { return db.Ping() }
	eventually(t, "the server has connections again", func() bool { return h.bare(ping) == nil })
	db := h.open()
	var conns []*sql.Conn
	var err error
	for err == nil && len(conns) <= maxConns+1 {
		var conn *sql.Conn
		if conn, err = db.Conn(t.Context()); err == nil { // place: loses connections
			conns = append(conns, conn)
		}
	}
	r := h.wantRefusal(tracker.ResourceConnections, refusedCode[h.server], err, h.bare(ping))
	h.wantHolder(r, 0, tracker.KindConn, "loses connections", len(conns))
	if !strings.Contains(r.Advice, "SetMaxOpenConns") {
		t.Errorf("advice %q", r.Advice)
	}
	for _, conn := range conns {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (h *hungry) openForRequest() *sql.DB {
	db, err := driverwrap.Open(h.driver, h.dsn, driverwrap.WithTracker(h.tracker), driverwrap.WithName("shop")) // place: opens a DB for a request
	if err != nil {
		h.t.Fatal(err)
	}
	h.dbs = append(h.dbs, db)
	return db
}

// A line that never closes what it prepares; who suffers is somebody else.
func testRefusedStatements(t *testing.T, h *hungry) {
	db := h.open()
	var stmts []*sql.Stmt
	for range maxStmts {
		stmt, err := db.Prepare("SELECT ?") // place: never closes a statement
		if err != nil {
			t.Fatal(err)
		}
		stmts = append(stmts, stmt)
	}
	query := func(db *sql.DB) error {
		rows, err := db.Query("SELECT ?", 1)
		if err == nil {
			rows.Close()
		}
		return err
	}
	r := h.wantRefusal(tracker.ResourceStatements, "MySQL 1461", query(db), h.bare(query))
	h.wantHolder(r, 0, tracker.KindStmt, "never closes a statement", maxStmts)
	if r.Count != 1 || !strings.Contains(r.Advice, "stmt.Close()") {
		t.Errorf("%+v", r)
	}
	for _, stmt := range stmts {
		if err := stmt.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := query(db); err != nil {
		t.Error(err)
	}
}

// journal is a database in a file, as SQLite has them by default: who reads keeps
// others from writing.
func journal(t *testing.T) string {
	t.Helper()
	dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_pragma=synchronous(OFF)&_pragma=busy_timeout(20)"
	if err := fill(t.Context(), "sqlite", dsn); err != nil {
		t.Fatal(err)
	}
	return dsn
}
