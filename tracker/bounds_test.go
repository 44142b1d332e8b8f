package tracker_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func TestStatementsAreBounded(t *testing.T) {
	w := watch(t)
	w.SetMaxOpenConns(1)
	const limit = 10_000
	var stmts []*sql.Stmt
	for i := range limit + 3 {
		stmts = append(stmts, must[*sql.Stmt](t)(w.Prepare(fmt.Sprint("select ", i))))
	}
	s := w.tracker.Snapshot()
	if got := s.Pools[0].Open[tracker.KindStmt]; got != limit {
		t.Errorf("%d statements are recorded, want %d", got, limit)
	}
	if got := s.Beyond.Statements; got != 3 {
		t.Errorf("%d statements beyond the limit, want 3", got)
	}
	for _, stmt := range stmts {
		stmt.Close()
	}
	w.Exec("update") // database/sql closes the statements as it releases their connection
	if got := w.tracker.Snapshot().Pools[0].Open[tracker.KindStmt]; got != 0 {
		t.Errorf("%d statements are open after their Close", got)
	}
	w.done(t)
}

// TestFindingsAreBounded has more findings than observers are told of, and
// more handles given back between two sweeps than are remembered one by one.
func TestFindingsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		events := &recorder{}
		tr := must[*tracker.Tracker](t)(tracker.New(tracker.WithObserver(events)))
		const followed, pools = 1000, 1100
		const findings = pools + 1 // one pool's connections are held by two lines
		var dbs []*sql.DB
		var held []*sql.Conn
		for i := range pools {
			db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr), driverwrap.WithName(fmt.Sprint("db", i)))
			dbs = append(dbs, db)
			held = append(held, must[*sql.Conn](t)(db.Conn(ctx)))
		}
		for range 1500 {
			held = append(held, must[*sql.Conn](t)(dbs[0].Conn(ctx)))
		}
		pass(time.Minute)
		s := tr.Snapshot()
		if len(s.Findings) != findings || s.Beyond.Findings != findings-followed {
			t.Errorf("%d findings, %d of them beyond the limit; want %d and %d", len(s.Findings), s.Beyond.Findings, findings, findings-followed)
		}
		if got := len(events.told()); got != followed {
			t.Errorf("%d events, want %d", got, followed)
		}
		for _, c := range held {
			c.Close()
		}
		pass(time.Minute)
		s = tr.Snapshot()
		if s.Totals.Recovered != uint64(len(held)) {
			t.Errorf("%d recovered, want %d", s.Totals.Recovered, len(held))
		}
		if s.Beyond.Findings != 0 || len(s.Findings) != 0 {
			t.Errorf("%d findings are left", len(s.Findings))
		}
		for _, db := range dbs {
			db.Close()
		}
		tr.Close()
	})
}
