package compat

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// dirt is what a statement leaves behind on its connection.
type dirt struct {
	on    []*backend
	begin string // %d is another number on each connection
	ends  []string
	// checks are those that see it; 0 means those by default.
	checks tracker.SessionChecks
	why    string // part of the reason
}

var (
	onMySQL    = []*backend{mysqlBackend}
	onPostgres = []*backend{pgxBackend, pqBackend}
	onSQLite   = []*backend{sqliteBackend}
)

const begunByText = "inside the transaction that this statement began"

var dirts = []dirt{
	{on: backends, begin: "BEGIN", ends: []string{"COMMIT"}, why: begunByText},
	{on: serverBackends, begin: "START TRANSACTION", ends: []string{"ROLLBACK"}, why: begunByText},
	{on: onPostgres, begin: "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY", ends: []string{"END"}, why: begunByText},
	{on: onSQLite, begin: "BEGIN DEFERRED TRANSACTION", ends: []string{"END TRANSACTION"}, why: begunByText},
	{on: onMySQL, begin: "XA START 'dirt%d'", ends: []string{"XA END 'dirt%d'", "XA ROLLBACK 'dirt%d'"}, why: begunByText},
	{on: onMySQL, begin: "SET autocommit = 0", ends: []string{"SET autocommit = 1"}, why: "with autocommit off"},
	{on: onMySQL, begin: "LOCK TABLES item READ", ends: []string{"UNLOCK TABLES"}, why: "with the tables locked"},
	{on: onPostgres, begin: "SELECT pg_advisory_lock(%d)", ends: []string{"SELECT pg_advisory_unlock(%d)"}, why: "with the lock that this statement took"},
	{on: onMySQL, begin: "SELECT GET_LOCK('dirt%d', 0)", ends: []string{"DO RELEASE_LOCK('dirt%d')"}, checks: tracker.SessionTryLocks, why: "if it got it"},
	{on: onPostgres, begin: "SELECT pg_try_advisory_lock(%d)", ends: []string{"SELECT pg_advisory_unlock_all()"}, checks: tracker.SessionTryLocks, why: "if it got it"},
	{on: onMySQL, begin: "SET SESSION unique_checks = 0", ends: []string{"SET SESSION unique_checks = 1"}, checks: tracker.SessionSettings, why: "with the setting changed"},
	{on: onPostgres, begin: "SET TIME ZONE 'UTC'", ends: []string{"RESET timezone"}, checks: tracker.SessionSettings, why: "with the setting changed"},
	{on: onPostgres, begin: "SET search_path = pg_catalog", ends: []string{"DISCARD ALL"}, checks: tracker.SessionSettings, why: "with the setting changed"},
	{on: onPostgres, begin: "LISTEN dirt", ends: []string{"UNLISTEN *"}, checks: tracker.SessionListen, why: "listening"},
}

// Every statement that leaves two connections dirty is one finding at its line,
// which is over when they are clean; so says an assertion, which doesn't wait.
func TestSessionLeftDirty(t *testing.T) {
	eachDirt(t, func(t *testing.T, b *backend, d dirt) {
		var opts []tracker.Option
		if d.checks != 0 {
			opts = append(opts, tracker.WithSessionChecks(d.checks))
		}
		a := newApp(t, b, opts...)
		a.onTwoConns(d.begin)
		a.wantDirtyAssertion()
		eventually(t, "an event", func() bool { return len(a.events.all()) > 0 })
		found := a.tracker.Snapshot().Findings
		if len(found) != 1 {
			t.Fatalf("%d findings:\n%s", len(found), describe(found))
		}
		if f := found[0]; f.Kind != tracker.KindSession || f.State != tracker.StateOverdue || f.Proof != "" || f.Count != 2 ||
			!at(f.Site, placeOf(t, "session")) || f.Query == "" || f.Advice == "" {
			t.Errorf("finding:\n%s", f)
		}
		if why := found[0].Reason; !strings.Contains(why, d.why) || !strings.Contains(why, "it has been there for ") {
			t.Errorf("reason %q doesn't say %q, and since when", why, d.why)
		}
		if n := a.open(tracker.KindSession); n != 2 {
			t.Errorf("the pool has %d dirty sessions", n)
		}

		over := tracker.EventRecovered
		if b == pgxBackend && d.why == begunByText {
			over = tracker.EventEnded // pgx has closed them
		}
		a.onTwoConns(d.ends...)
		eventually(t, "a closing event", func() bool { return len(a.events.all()) > 1 })
		if got, want := a.events.kinds(), []tracker.EventKind{tracker.EventOverdue, over}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		a.verify()
	})
}

// Where the checks are off, nothing is found; not even by an assertion.
func TestSessionChecksOff(t *testing.T) {
	eachDirt(t, func(t *testing.T, b *backend, d dirt) {
		var opts []tracker.Option // what is to be asked for is off by default
		if d.checks == 0 {
			opts = append(opts, tracker.WithSessionChecks(0))
		}
		a := newApp(t, b, opts...)
		a.onTwoConns(d.begin)
		a.stays(time.Minute)
		a.verify()
		a.wantSilence()
	})
}

func eachDirt(t *testing.T, test func(t *testing.T, b *backend, d dirt)) {
	for _, d := range dirts {
		t.Run(d.begin, func(t *testing.T) {
			onEach(t, d.on, func(t *testing.T, b *backend) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { test(t, b, d) })
			})
		})
	}
}

// onTwoConns runs texts on each of two connections, and gives them back.
func (a *app) onTwoConns(texts ...string) {
	a.t.Helper()
	var conns []*sql.Conn
	for range 2 {
		conn, err := a.db.Conn(a.ctx)
		a.must(err)
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		for _, text := range texts {
			if strings.Contains(text, "%d") {
				text = fmt.Sprintf(text, a.numberOf(conn))
			}
			_, err := conn.ExecContext(a.ctx, text) // place: session
			if err != nil && !strings.HasPrefix(text, "XA ") || err != nil && strings.HasPrefix(text, "XA START") {
				a.t.Fatalf("%s: %v", text, err)
			}
		}
	}
	for _, conn := range conns {
		a.must(conn.Close())
	}
}

// numberOf is the number of a connection in its server.
func (a *app) numberOf(conn *sql.Conn) (n int) {
	a.t.Helper()
	a.must(conn.QueryRowContext(a.ctx, a.session).Scan(&n))
	return n
}

func (a *app) wantDirtyAssertion() {
	a.t.Helper()
	var test fakeTB
	a.tracker.AssertNoLeaks(&test, tracker.Grace(0))
	place := placeOf(a.t, "session")
	for _, part := range []string{"2 sessions were left dirty", "session OVERDUE, 2 of them", fmt.Sprintf("%s:%d\n", place.File, place.Line)} {
		if !strings.Contains(test.log, part) {
			a.t.Errorf("the assertion doesn't say %q:\n%s", part, test.log)
		}
	}
}

// Whatever way a statement is run, it is seen, and so is the other goroutine
// that gets the connection.
func TestSessionRoutes(t *testing.T) {
	routes := map[string]func(*app) error{
		"DB.Exec": func(a *app) error {
			_, err := a.db.Exec("BEGIN") // place: DB.Exec
			return err
		},
		"DB.Query": func(a *app) error {
			rows, err := a.db.Query("BEGIN") // place: DB.Query
			if err != nil {
				return err
			}
			return rows.Close()
		},
		"Stmt.Exec": func(a *app) error {
			stmt, err := a.db.Prepare("/* shop */ begin")
			if err != nil {
				return err
			}
			if _, err := stmt.Exec(); err != nil { // place: Stmt.Exec
				return err
			}
			return stmt.Close()
		},
		"error in between": func(a *app) error {
			if _, err := a.db.Exec("BEGIN"); err != nil { // place: error in between
				return err
			}
			if _, err := a.db.Exec("SELECT nothing FROM nowhere"); err == nil {
				return fmt.Errorf("no error")
			}
			return nil
		},
	}
	onEach(t, backends, func(t *testing.T, b *backend) {
		for name, run := range routes {
			if name == "error in between" && b == pgxBackend {
				continue // it closes the connection
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := newApp(t, b)
					a.must(run(a))
					if b != pgxBackend { // which closes it rather than hand it out
						a.spawn(func() error { return a.db.Ping() })
						a.tasks.Wait()
					}
					a.wantSession(name, map[bool]string{true: "it has been there for", false: "another goroutine has used it since"}[b == pgxBackend])
				})
			})
		}
	})
}

func (a *app) wantSession(place, why string) {
	a.t.Helper()
	eventually(a.t, "an event", func() bool { return len(a.events.all()) > 0 })
	f := a.events.all()[0].Finding
	if f.Kind != tracker.KindSession || f.Count != 1 || !at(f.Site, placeOf(a.t, place)) || !strings.Contains(f.Reason, why) {
		a.t.Errorf("want a session, at the line marked %q, for %q, got\n%s", place, why, f)
	}
}

// A pool of one connection may have one user, who does one thing after the
// other: he has as long as a transaction, unless another goroutine gets it and
// doesn't end it.
func TestSessionOfLoneConnection(t *testing.T) {
	onEach(t, []*backend{mysqlBackend, pqBackend, sqliteBackend}, func(t *testing.T, b *backend) {
		synctest.Test(t, func(t *testing.T) {
			a := newApp(t, b)
			a.db.SetMaxOpenConns(1)
			_, err := a.db.Exec("BEGIN") // place: lone connection
			a.must(err)
			a.stays(20 * time.Second)
			a.spawn(func() error {
				_, err := a.db.Exec("SELECT 1")
				return err
			})
			a.tasks.Wait()
			a.wantSession("lone connection", "another goroutine has used it since")
			_, err = a.db.Exec("ROLLBACK")
			a.must(err)
			eventually(t, "it recovers", func() bool { return slices.Contains(a.events.kinds(), tracker.EventRecovered) })
			a.verify()
		})
	})
}

// The end of a request doesn't wait either.
func TestSessionOfScope(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		synctest.Test(t, func(t *testing.T) {
			a := newApp(t, b)
			ctx, end := a.tracker.Scope(a.ctx, "order")
			_, err := a.db.ExecContext(ctx, "BEGIN") // place: scope's session
			a.must(err)
			end()
			a.wantSession("scope's session", begunByText)
			if e := a.events.all()[0]; e.Kind != tracker.EventScopeEnd || e.Finding.Scope != "order" {
				t.Errorf("event %v:\n%s", e.Kind, e.Finding)
			}
		})
	})
}
