package compat

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// A self-test sees its leak on every database, and leaves nothing there.
func TestSelfTest(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		a := newApp(t, b)
		a.db.SetMaxOpenConns(1)
		a.must(a.db.PingContext(a.ctx))
		for range 2 {
			r, err := a.tracker.SelfTest(a.ctx, a.db)
			a.must(err)
			if r.Proof != tracker.ProofUnreachable || !strings.HasSuffix(r.Site.Function, "selftest.Leak") {
				t.Errorf("%+v", r)
			}
		}
		if n := len(a.conns.conns); n != 3 {
			t.Errorf("%d connections were made, want one and two of self-tests", n)
		}
		a.wantOneSession()
		if s := a.tracker.Snapshot(); s.Totals != (tracker.Totals{}) || len(s.Pools) != 1 || len(s.Findings)+len(s.Ended) > 0 {
			t.Errorf("left in the tracker: %+v", s)
		}
		if e := a.events.all(); len(e) > 0 {
			t.Errorf("events %v", e)
		}
		a.verify()
	})
}

// wantOneSession checks, with the only connection of the program, that all
// others that were ever made are gone from the database.
func (a *app) wantOneSession() {
	a.t.Helper()
	if a.server == "" {
		// Only the last connection to a file can leave WAL mode.
		var mode string
		a.must(a.db.QueryRowContext(a.ctx, "PRAGMA journal_mode = DELETE").Scan(&mode))
		if mode != "delete" {
			a.t.Errorf("journal mode %q", mode)
		}
		return
	}
	sessions := map[string]string{
		mariaDB:  "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER <> 'system user'",
		postgres: "SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
	}[a.server]
	eventually(a.t, "one session is left", func() bool {
		var n int
		a.must(a.db.QueryRowContext(a.ctx, sessions).Scan(&n))
		return n == 1
	})
}

func TestSelfTestFails(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		a := newApp(t, b)
		a.db.SetMaxOpenConns(1)
		conn, err := a.db.Conn(a.ctx)
		a.must(err)
		ctx, cancel := context.WithTimeout(a.ctx, 100*time.Millisecond)
		defer cancel()
		if _, err := a.tracker.SelfTest(ctx, a.db); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "all 1 are in use") {
			t.Errorf("on an exhausted pool: %v", err)
		}
		a.must(conn.Close())
		_, err = a.tracker.SelfTest(a.ctx, a.db)
		a.must(err)

		bare, err := sql.Open(a.driver, a.source)
		a.must(err)
		if _, err := a.tracker.SelfTest(a.ctx, bare); err == nil || !strings.Contains(err.Error(), "not opened through driverwrap") {
			t.Errorf("of a bare DB: %v", err)
		}
		a.must(bare.Close())
		a.verify() // which closes the tracker
		if _, err := a.tracker.SelfTest(a.ctx, a.db); err == nil || !strings.Contains(err.Error(), "the tracker is closed") {
			t.Errorf("of a closed tracker: %v", err)
		}
	})
}
