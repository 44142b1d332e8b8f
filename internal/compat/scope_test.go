package compat

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// What a scope leaves open is told once, and taken back.
func TestScopes(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, l := range scopeLeaks {
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				a := newLongApp(t, b) // is swept often
				program := a.ctx
				var end func()
				a.ctx, end = a.tracker.Scope(program, "job")
				a.must(l.plant(a))
				a.ctx = program
				end()
				eventually(t, "the event", func() bool { return len(a.events.all()) > 0 })
				f := a.events.all()[0].Finding
				if kinds := a.events.kinds(); !slices.Equal(kinds, []tracker.EventKind{tracker.EventScopeEnd}) ||
					!l.isOverdue(a, f) || f.Count != 1 || f.State != tracker.StateOverdue || f.Reason != "still open at the end of scope job" {
					t.Errorf("events %v, finding\n%s", kinds, f)
				}
				for _, closeIt := range a.leftovers {
					a.must(closeIt())
				}
				a.leftovers = nil
				eventually(t, "it has recovered", func() bool {
					return a.tracker.Snapshot().Totals == tracker.Totals{Reported: 1, Overdue: 1, Recovered: 1}
				})
				a.verify()
			})
		}
	})
}

// What may be open when a scope ends, without a word about it but for one.
func TestScopesOfNoFault(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		t.Parallel()
		a := newApp(t, b)
		ctx, end := a.tracker.Scope(a.ctx, "job")
		// Calls that have not come back: they end with the context.
		for _, c := range blockedCalls {
			a.spawn(func() error {
				if err := c.run(ctx, a); err == nil {
					return fmt.Errorf("%s: a query without end came to one", c.name)
				}
				return nil
			})
		}
		// database/sql takes back what has a context that ended before, but
		// has not come round to it.
		short, cancel := context.WithCancel(ctx)
		_, err := a.db.BeginTx(short, nil)
		a.must(err)
		_, err = a.db.QueryContext(short, "SELECT id FROM item")
		a.must(err)
		// But not a Conn: the second look, a second later, tells.
		forgotten, err := a.db.Conn(short)
		a.must(err)
		// And what is to outlive the scope goes on.
		tx, err := a.db.BeginTx(context.WithoutCancel(ctx), nil)
		a.must(err)
		listener, err := a.db.Conn(tracker.LongLived(ctx, "listens"))
		a.must(err)
		stmt, err := a.db.PrepareContext(ctx, "SELECT id FROM item")
		a.must(err)
		eventually(t, "the calls are with the server", func() bool {
			busy := 0
			for _, f := range a.tracker.Snapshot().Open {
				if f.Busy != "" && f.Kind != tracker.KindStmt {
					busy += f.Count
				}
			}
			return busy >= len(blockedCalls)
		})
		cancel()
		end()
		a.tasks.Wait()
		a.must(tx.QueryRow("SELECT id FROM item").Scan(new(int)))
		eventually(t, "the second look", func() bool { return len(a.events.all()) > 0 })
		a.must(tx.Commit())
		a.must(listener.Close())
		a.must(stmt.Close())
		a.must(forgotten.Close())
		a.verify()
		if all := a.events.all(); len(all) != 1 || all[0].Kind != tracker.EventScopeEnd || all[0].Finding.Kind != tracker.KindConn {
			t.Errorf("events %v", all)
		}
		if n := a.tracker.Snapshot().Totals.Overdue; n != 1 {
			t.Errorf("%d handles were overdue, want 1", n)
		}
	})
}

// The server knows nothing more of a transaction that a scope left open.
func TestScopeRollsBackOnTheServer(t *testing.T) {
	inTransaction := map[string]string{
		mariaDB:  "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = %d",
		postgres: "SELECT COUNT(*) FROM pg_stat_activity WHERE pid = %d AND state LIKE 'idle in transaction%%'",
	}
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		t.Parallel()
		a := newApp(t, b)
		admin, err := sql.Open(a.driver, servers[a.server].AdminDSN)
		a.must(err)
		defer admin.Close()
		count := func(query string, args ...any) (n int) {
			a.must(admin.QueryRow(fmt.Sprintf(query, args...)).Scan(&n))
			return n
		}
		id := items/2 + slices.Index(backends, b) // they may share a server
		ctx, end := a.tracker.Scope(a.ctx, "job")
		tx, err := a.db.BeginTx(ctx, nil)
		a.must(err)
		var session int
		a.must(tx.QueryRow(a.session).Scan(&session))
		_, err = tx.Exec(a.bind("UPDATE item SET price = 0 WHERE id = ?"), id)
		a.must(err)
		if n := count(inTransaction[b.server], session); n != 1 {
			t.Fatalf("the session has %d transactions on the server before the scope's end", n)
		}
		end()
		eventually(t, "the transaction is over on the server", func() bool {
			time.Sleep(150 * time.Millisecond) // InnoDB gives the same answer to who asks more often
			return count(inTransaction[b.server], session) == 0
		})
		// The row is free, and as it was.
		var price int
		a.must(a.db.QueryRow(a.bind("SELECT price FROM item WHERE id = ?")+" FOR UPDATE", id).Scan(&price))
		if price != 10*id {
			t.Errorf("the price is %d, want %d", price, 10*id)
		}
		if err := tx.Commit(); err == nil {
			t.Error("the transaction is committed")
		}
		a.verify()
	})
}

// guardedTest is a test that may fail, with an end of its own.
type guardedTest struct {
	fakeTB
	name    string
	ctx     context.Context
	cleanup func()
}

func (g *guardedTest) Name() string             { return g.name }
func (g *guardedTest) Context() context.Context { return g.ctx }
func (g *guardedTest) Cleanup(f func())         { g.cleanup = f }

// Tests in parallel that share a DB answer for what they leave open, and for
// nothing else.
func TestGuards(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		t.Parallel()
		a := newApp(t, b)
		// Fewer connections than tests: some are opened by the pool itself.
		// None is closed: its statements would be gone.
		a.db.SetMaxOpenConns(20)
		a.db.SetMaxIdleConns(20)
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() { a.guardedTest(i) })
		}
		all.Wait()
		// Not beside the others: on a connection that one of them has lost,
		// nobody can tell whether a statement was closed.
		a.guardedTest(40)
	})
}

// guardedTest is one of the tests; one in four leaks.
func (a *app) guardedTest(i int) {
	g := &guardedTest{name: fmt.Sprintf("test %d", i), ctx: a.ctx}
	ctx := a.tracker.Guard(g, tracker.Grace(time.Second))
	for range 5 {
		a.inOtherGoroutine(func() error {
			rows, err := a.db.Query("SELECT id FROM item")
			return drained(rows, err)
		})
	}
	verdict := ""
	switch i {
	case 0, 1, 2:
		verdict = "rows LEAKED (unreachable)"
		a.inOtherGoroutine(func() error { _, err := a.db.Query("SELECT id FROM item"); return err })
	case 10, 11, 12:
		verdict = "tx LEAKED (still open at assert)"
		_, err := a.db.BeginTx(ctx, nil)
		a.check(err)
	case 20, 21, 22:
		verdict = "conn LEAKED (still open at assert)"
		conn, err := a.db.Conn(context.Background())
		a.check(err)
		defer conn.Close()
	case 40:
		verdict = "stmt LEAKED (still open at assert)"
		stmt, err := a.db.Prepare("SELECT id FROM item")
		a.check(err)
		defer stmt.Close()
	}
	g.cleanup()
	if verdict == "" && g.log != "" ||
		verdict != "" && (!strings.HasPrefix(g.log, "dbleaks: 1 handle was not given back\n") || !strings.Contains(g.log, verdict)) {
		a.t.Errorf("%s: want %q, got\n%s", g.name, verdict, g.log)
	}
}

func (a *app) inOtherGoroutine(f func() error) {
	done := make(chan error)
	go func() { done <- f() }()
	a.check(<-done)
}

// check is must for goroutines that aren't the test's.
func (a *app) check(err error) {
	if err != nil {
		a.t.Error(err)
	}
}
