package compat

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap/serverview"
	"github.com/dbleaks-go/dbleaks/internal/dbserver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// An account that may not see everything sees what it may, and the view names
// the grant; with the grant, the rest is there.
func TestServerViewPrivileges(t *testing.T) {
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		account, dsn := b.account(t)
		b.stock(t)
		a := newApp(t, b)
		c, opts := b.viewable(t, dsn)
		a.view(c, opts...)

		// Another account holds what the program wants.
		admin, err := sql.Open(b.driver, servers[b.server].AdminDSN)
		a.must(err)
		defer admin.Close()
		holder, err := admin.Begin()
		a.must(err)
		defer holder.Rollback()
		holderID := a.id(holder)
		_, err = holder.Exec("UPDATE stock SET n = n - 1")
		a.must(err)
		block := &blockade{app: a, done: make(chan error, 1)}
		waiter := block.run("UPDATE stock SET n = 0 WHERE id = 1")
		block.awaitWaiters(1)

		grant := "GRANT pg_read_all_stats TO " + account
		if b == mysqlBackend {
			grant = "GRANT PROCESS ON *.* TO " + account
		}
		s := a.look()
		w, h := session(s.Sessions, waiter), session(s.Sessions, holderID)
		if len(s.Notices) != 1 || s.Notices[0].Grant != grant || !strings.Contains(s.String(), "to see it: "+grant+"\n") {
			t.Errorf("want a notice that says %q:\n%s", grant, s)
		}
		if w == nil || w.Conn == nil || b == mysqlBackend && h != nil || b != mysqlBackend && h.State != serverview.StateHidden {
			t.Errorf("want the pool's own session, and no more:\n%s", s)
		}

		b.admin(t, grant)
		a.must(a.db.PingContext(a.ctx))
		var after serverview.Server
		eventually(t, "the rest is seen", func() bool { // MariaDB shows what it showed within a tenth of a second
			after = a.look()
			return len(after.Notices) == 0 && len(after.RootBlockers()) == 1
		})
		root := after.RootBlockers()[0]
		if root.ID != holderID || root.State != serverview.StateIdleTx || root.Conn != nil || !slices.Equal(root.Blocks, []uint64{waiter}) {
			t.Errorf("want %d as the root blocker of %d:\n%s", holderID, waiter, after)
		}
		a.must(holder.Rollback())
		a.must(<-block.done)
	})
}

// A look takes nothing from the pool, and so works while the pool is exhausted.
func TestServerViewExhausted(t *testing.T) {
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		a := newApp(t, b)
		c, opts := b.viewable(t, a.source)
		a.view(c, opts...)
		a.db.SetMaxOpenConns(1)
		tx, err := a.db.BeginTx(a.ctx, nil) // place: holder of the only connection
		a.must(err)
		id := a.id(tx)
		a.spawn(func() error { return a.db.PingContext(a.ctx) })
		eventually(t, "somebody waits", func() bool { return a.db.Stats().WaitCount == 1 })
		s := a.look()
		if len(s.Sessions) != 1 || s.Sessions[0].ID != id {
			t.Fatalf("want session %d:\n%s", id, s)
		}
		a.wantHeld(&s.Sessions[0], tracker.KindTx, "holder of the only connection")
		a.must(tx.Rollback())
		a.verify()
	})
}

// A server that is full has no place for a look, but for an account that has
// one in reserve.
func TestServerViewThrough(t *testing.T) {
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		a := newApp(t, b)
		through, err := b.connector(servers[b.server].AdminDSN)
		a.must(err)
		c, opts := b.viewable(t, a.source)
		a.view(c, append(opts, serverview.Through(through))...)
		tx, err := a.db.BeginTx(a.ctx, nil) // place: seen by the administrator
		a.must(err)
		id := a.id(tx)
		s := a.look()
		if len(s.Sessions) != 1 || s.Sessions[0].ID != id || len(s.Notices) > 0 {
			t.Fatalf("want session %d:\n%s", id, s)
		}
		a.wantHeld(&s.Sessions[0], tracker.KindTx, "seen by the administrator")
		a.must(tx.Rollback())
		a.verify()
	})
}

// A server that doesn't answer is named, within the time that the caller has;
// the program goes on meanwhile.
func TestServerViewDead(t *testing.T) {
	silent := listenSilently(t)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		for name, addr := range map[string]string{"silent": silent, "gone": gone.Addr().String()} {
			t.Run(name, func(t *testing.T) {
				a := newApp(t, b)
				dsn := strings.Replace(a.source, servers[b.server].Addr, addr, 1)
				c, opts := b.viewable(t, dsn)
				a.view(c, opts...)
				ctx, cancel := context.WithTimeout(a.ctx, 300*time.Millisecond)
				defer cancel()
				began := time.Now()
				v, err := serverview.Look(ctx, a.tracker)
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %v", took)
				}
				if err == nil || len(v.Servers) != 1 || v.Servers[0].Error == "" || !strings.Contains(err.Error(), "pool shop") {
					t.Errorf("error %v, view\n%s", err, v)
				}
				if name == "silent" && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v", err)
				}
			})
		}
	})
}

// listenSilently accepts, reads and says nothing.
func listenSilently(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, conn)
			go io.Copy(io.Discard, conn)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, c := range conns { // pq would wait for ever
			c.Close()
		}
	})
	return l.Addr().String()
}

// A server that dies takes its connections along, not the program.
func TestServerViewDies(t *testing.T) {
	s, err := dbserver.StartMariaDB(t.Context(), dbserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := newApp(t, mysqlBackend)
	a.view(mysqlConnector(t, s.DSN, dialled))
	conn, err := a.db.Conn(a.ctx)
	a.must(err)
	a.must(conn.PingContext(a.ctx))
	a.must(s.Close())
	if v, err := serverview.Look(a.ctx, a.tracker); err == nil || !strings.Contains(v.String(), "pool shop: no view: connect: ") {
		t.Errorf("error %v, view\n%s", err, v)
	}
	if n := a.pool().InUse; n != 1 {
		t.Errorf("%d connections in use, want the one", n)
	}
	_ = conn.Close()
	a.verify()
}

func TestServerViewNotSupported(t *testing.T) {
	a := newApp(t, sqliteBackend)
	c, err := a.backend.connector(a.source)
	a.must(err)
	a.view(c, serverview.AskID())
	for range 5 {
		conn, err := a.db.Conn(a.ctx)
		a.must(err)
		defer conn.Close()
	}
	v, err := serverview.Look(a.ctx, a.tracker)
	if !errors.Is(err, serverview.ErrNotSupported) || !strings.Contains(v.String(), "it isn't MariaDB, MySQL or PostgreSQL") {
		t.Errorf("error %v, view\n%s", err, v)
	}
	if _, err := serverview.Look(a.ctx, newApp(t, sqliteBackend).tracker); err == nil || !strings.Contains(err.Error(), "serverview.Enable") {
		t.Errorf("a pool without the option: %v", err)
	}
}
