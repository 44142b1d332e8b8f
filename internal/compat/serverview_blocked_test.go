package compat

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap/serverview"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// blockade is a transaction that a program forgot, and who waits for it.
type blockade struct {
	*app
	tx      *sql.Tx
	root    uint64
	updates []uint64 // the sessions of the two updates
	alter   uint64   // that of the ALTER
	done    chan error
}

// stock makes the table that everybody wants, for as long as the test runs. It
// comes before the program, which must have let go of the table at the end.
func (b *backend) stock(t *testing.T) {
	t.Helper()
	run := func(statements ...string) {
		db, err := sql.Open(b.driver, servers[b.server].DSN)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, s := range statements {
			if _, err := db.Exec(s); err != nil {
				t.Errorf("%s: %v", s, err)
			}
		}
	}
	run("CREATE TABLE stock (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)", "INSERT INTO stock VALUES (1, 10), (2, 10), (3, 10)")
	t.Cleanup(func() { run("DROP TABLE stock") })
}

// newBlockade has everybody wait for a transaction.
func newBlockade(a *app) *blockade {
	a.t.Helper()
	b := &blockade{app: a, done: make(chan error, 3)}
	var err error
	b.tx, err = a.db.BeginTx(a.ctx, nil) // place: blocking transaction
	a.must(err)
	b.root = a.id(b.tx)
	_, err = b.tx.Exec("UPDATE stock SET n = n - 1")
	a.must(err)
	for range 2 {
		b.updates = append(b.updates, b.run("UPDATE stock SET n = 4711 WHERE id = 1"))
		b.awaitWaiters(len(b.updates))
	}
	b.alter = b.run("ALTER TABLE stock ADD COLUMN note VARCHAR(20)")
	b.awaitWaiters(3)
	return b
}

// run runs a statement on a connection of the pool and returns its session.
func (b *blockade) run(statement string) (id uint64) {
	conn, err := b.db.Conn(b.ctx) // place: blocked connection
	b.must(err)
	id = b.id(conn)
	b.tasks.Go(func() {
		_, err := conn.ExecContext(b.ctx, statement)
		if err == nil {
			err = conn.Close()
		}
		b.done <- err
	})
	return id
}

// awaitWaiters polls the server with an account that sees everything.
func (b *blockade) awaitWaiters(n int) {
	b.t.Helper()
	admin, err := sql.Open(b.driver, servers[b.server].AdminDSN)
	b.must(err)
	defer admin.Close()
	query := "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
	if b.backend == mysqlBackend {
		query = "SELECT (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_ROW_LOCK_CURRENT_WAITS') + " +
			"(SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE '%metadata lock')"
	}
	eventually(b.t, fmt.Sprintf("%d sessions wait", n), func() bool {
		var waiting int
		b.must(admin.QueryRow(query).Scan(&waiting))
		return waiting == n
	})
}

// wantRoot checks that the view blames the forgotten transaction, and nobody
// else, for all who wait.
func (b *blockade) wantRoot(s serverview.Server) *serverview.Session {
	b.t.Helper()
	waiters := append([]uint64{b.alter}, b.updates...)
	slices.Sort(waiters)
	roots := s.RootBlockers()
	if len(roots) != 1 || roots[0].ID != b.root || !slices.Equal(roots[0].Blocks, waiters) || len(roots[0].BlockedBy)+len(roots[0].Roots) > 0 {
		b.t.Fatalf("want %d as the root blocker of %v:\n%s", b.root, waiters, s)
	}
	for _, id := range waiters {
		w := session(s.Sessions, id)
		if w == nil || w.State != serverview.StateWaiting || !slices.Equal(w.Roots, []uint64{b.root}) || len(w.BlockedBy) == 0 {
			b.t.Fatalf("want %d to wait, in the end for %d: %+v\n%s", id, b.root, w, s)
		}
		b.wantHeld(w, tracker.KindConn, "blocked connection")
	}
	root := &s.Sessions[0]
	if root.ID != b.root || !root.Tx || root.State != serverview.StateIdleTx || root.Kill == "" {
		b.t.Errorf("root blocker: %+v", root)
	}
	if first := session(s.Sessions, b.updates[0]).BlockedBy; len(first) != 1 || first[0].By != b.root || first[0].Inferred {
		b.t.Errorf("the first update waits for %+v, want %d", first, b.root)
	}
	b.wantHeld(root, tracker.KindTx, "blocking transaction")
	return root
}

// wantHeld checks which line holds the connection of a session.
func (a *app) wantHeld(s *serverview.Session, k tracker.Kind, place string) {
	a.t.Helper()
	if c := s.Conn; c == nil || c.Pool != "shop" || len(c.Holders) != 1 || c.Holders[0].Kind != k {
		a.t.Errorf("session %d is held by %+v, want %v of %q", s.ID, c, k, place)
	} else if h := c.Holders[0]; !at(h.Site, placeOf(a.t, place)) {
		a.t.Errorf("session %d is held by %+v, want %v of %q", s.ID, h, k, place)
	}
}

// breakBy runs the statement that ends the root blocker; then the waiters get
// what they wait for.
func (b *blockade) breakBy(kill string) {
	b.t.Helper()
	b.admin(b.t, kill)
	for range 3 {
		select {
		case err := <-b.done:
			b.must(err)
		case <-time.After(time.Minute):
			b.t.Fatalf("%q helps nobody", kill)
		}
	}
	_ = b.tx.Rollback() // its session is gone
}

// A forgotten transaction blocks two updates and an ALTER: the view names it,
// by the application's line, and the statement that it prints ends the wait.
func TestServerViewBlockade(t *testing.T) {
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		account, dsn := b.account(t)
		if b == mysqlBackend {
			b.admin(t, "GRANT PROCESS ON *.* TO "+account)
		}
		b.stock(t)
		a := newApp(t, b, tracker.WithKindThreshold(tracker.KindTx, 50*time.Millisecond))
		c, opts := b.viewable(t, dsn)
		a.source = dsn
		a.view(c, opts...)
		block := newBlockade(a)
		eventually(t, "the transaction is overdue", func() bool { return len(a.tracker.Snapshot().Findings) > 0 })
		s := a.look(serverview.WithSQL())
		root := block.wantRoot(s)
		if s.InUse != 4 || len(s.Orphans) > 0 || len(s.Notices) > 0 {
			t.Errorf("4 connections are in use:\n%s", s)
		}
		if h := root.Conn.Holders; len(h) == 1 && h[0].State != tracker.StateOverdue {
			t.Errorf("the transaction is %v", h[0].State)
		}
		if b == mysqlBackend && (root.RowsLocked == 0 || root.RowsModified != 3) {
			t.Errorf("%d rows locked, %d modified", root.RowsLocked, root.RowsModified)
		}
		t.Logf("\n%s", s)
		for _, want := range []string{
			"3 sessions wait for connection ", "compat.newBlockade serverview_blocked_test.go:",
			"root blocker of 3: ", "to end it: " + root.Kill + "\n", "sql: UPDATE stock SET n = ? WHERE id = ?\n",
		} {
			if !strings.Contains(s.String(), want) {
				t.Errorf("the text lacks %q", want)
			}
		}
		if text := fmt.Sprint(a.look()); strings.Contains(text, "stock SET") || strings.Contains(s.String(), "4711") {
			t.Errorf("text is shown that may not be:\n%s", text)
		}
		block.breakBy(root.Kill)
	})
}

// Where the server knows who holds a metadata lock, nothing is inferred.
func TestServerViewMetadataLocks(t *testing.T) {
	s := secureMariaDB(t)
	normal := servers[mariaDB]
	servers[mariaDB] = s
	defer func() { servers[mariaDB] = normal }()
	t.Run("known", func(t *testing.T) {
		mysqlBackend.stock(t)
		a := newApp(t, mysqlBackend)
		a.view(mysqlConnector(t, s.AdminDSN, dialled))
		block := newBlockade(a)
		view := a.look()
		root := block.wantRoot(view)
		for _, b := range session(view.Sessions, block.alter).BlockedBy {
			if b.Inferred || b.Lock != "metadata of dbleaks.stock" {
				t.Errorf("the ALTER is blocked by %+v", b)
			}
		}
		t.Logf("\n%s", view)
		block.breakBy(root.Kill)
	})
}
