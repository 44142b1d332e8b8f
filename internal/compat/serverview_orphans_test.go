package compat

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap/serverview"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// Rows that were leaked keep their connection when the DB is closed.
func TestServerViewClosedDB(t *testing.T) {
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		a := newApp(t, b)
		c, opts := b.viewable(t, a.source)
		a.view(c, opts...)
		a.db.SetMaxOpenConns(1)
		var id uint64
		a.must(a.db.QueryRow(a.session).Scan(&id))
		rows, err := a.db.Query("SELECT id FROM item") // place: rows that outlive their DB
		a.must(err)
		a.must(a.db.Close())
		s := a.look()
		if len(s.Sessions) > 0 || len(s.Orphans) != 1 || s.Orphans[0].ID != id || !s.Orphans[0].Conn.PoolClosed {
			t.Fatalf("want %d as an orphan:\n%s", id, s)
		}
		a.wantHeld(&s.Orphans[0], tracker.KindRows, "rows that outlive their DB")
		if text := s.String(); !strings.Contains(text, "whose DB is closed") || !strings.Contains(text, "to end it: "+s.Orphans[0].Kill) {
			t.Errorf("the text is\n%s", text)
		}
		a.must(rows.Close())
	})
}

// A driver that gives up a statement may close the connection without the
// server taking notice: it goes on with the statement.
func TestServerViewAbandoned(t *testing.T) {
	account, dsn := mysqlBackend.account(t)
	mysqlBackend.admin(t, "GRANT PROCESS ON *.* TO "+account)
	mysqlBackend.stock(t)
	a := newApp(t, mysqlBackend)
	a.view(mysqlConnector(t, dsn, dialled))
	holder, err := a.db.BeginTx(a.ctx, nil) // place: what the abandoned waits for
	a.must(err)
	holderID := a.id(holder)
	_, err = holder.Exec("UPDATE stock SET n = n - 1")
	a.must(err)
	ctx, cancel := context.WithTimeout(a.ctx, 100*time.Millisecond)
	defer cancel()
	conn, err := a.db.Conn(a.ctx) // place: abandoned statement
	a.must(err)
	id := a.id(conn)
	if _, err := conn.ExecContext(ctx, "UPDATE stock SET n = 0"); err == nil {
		t.Fatal("the statement came through")
	}
	_ = conn.Close()
	var s serverview.Server
	eventually(t, "the orphan is seen", func() bool {
		s = a.look()
		return len(s.Orphans) > 0
	})
	o := s.Orphans[0]
	if o.ID != id || o.State != serverview.StateWaiting || !slices.Equal(o.Roots, []uint64{holderID}) ||
		o.Conn.ClosedFor == 0 || !at(o.Conn.LastSite, placeOf(t, "abandoned statement")) {
		t.Errorf("want %d, which waits for %d:\n%s", id, holderID, s)
	}
	if !strings.Contains(s.String(), "closed by this process ") {
		t.Errorf("the text is\n%s", s)
	}
	mysqlBackend.admin(t, o.Kill)
	eventually(t, "the orphan is gone", func() bool { return len(a.look().Orphans) == 0 })
	a.must(holder.Rollback())
	a.verify()
}
