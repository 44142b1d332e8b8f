package tracker_test

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestGrowthOutlivesConnections: statements that go with their connection were
// not given back, and the others still aren't.
func TestGrowthOutlivesConnections(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		a, b := must[*sql.Conn](t)(w.Conn(tracker.LongLived(ctx, "a test"))), must[*sql.Conn](t)(w.Conn(tracker.LongLived(ctx, "a test")))
		var stmts []*sql.Stmt
		for range 6 {
			for _, c := range []*sql.Conn{a, b, b} {
				stmts = append(stmts, must[*sql.Stmt](t)(c.PrepareContext(ctx, "select")))
			}
			a.Close()
			b.Close()
			pass(10 * time.Second)
			a, b = must[*sql.Conn](t)(w.Conn(tracker.LongLived(ctx, "a test"))), must[*sql.Conn](t)(w.Conn(tracker.LongLived(ctx, "a test")))
		}
		grown := w.tracker.Snapshot().Findings
		if len(grown) != 1 || grown[0].Kind != tracker.KindStmt {
			t.Fatalf("findings %+v, want the statements", grown)
		}
		a.Raw(func(any) error { return driver.ErrBadConn })
		b.Close()
		pass(10 * time.Second)
		left := w.tracker.Snapshot().Findings
		if len(left) != 1 || left[0].Count >= grown[0].Count || left[0].Count < 8 {
			t.Errorf("%d statements and then %+v, want fewer", grown[0].Count, left)
		}
		for _, s := range stmts {
			s.Close()
		}
		w.Exec("update")
		pass(time.Minute)
		if left := w.tracker.Snapshot().Findings; len(left) != 0 {
			t.Errorf("findings %+v after the statements were closed", left)
		}
		w.done(t)
	})
}

// TestGrowthInBusyPool: statements on connections in use may have been closed,
// but not all of them, again and again.
func TestGrowthInBusyPool(t *testing.T) {
	for _, tt := range []struct {
		name   string
		closes bool
		want   int
	}{{"leaks", false, 1}, {"closes", true, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watch(t)
				w.SetMaxOpenConns(1)
				var stmts []*sql.Stmt
				for range 12 {
					stmt := must[*sql.Stmt](t)(w.Prepare("select"))
					pass(time.Second / 2) // sweeps come when the connection is in use
					tx := must[*sql.Tx](t)(w.Begin())
					if stmts = append(stmts, stmt); tt.closes {
						stmt.Close()
					}
					pass(4 * time.Second)
					tx.Rollback()
				}
				if found := w.tracker.Snapshot().Findings; len(found) != tt.want {
					t.Errorf("%d findings, want %d: %+v", len(found), tt.want, found)
				}
				for _, s := range stmts {
					s.Close()
				}
				w.done(t)
			})
		})
	}
}

// TestGrowthOfManyTexts: a line that prepares another text each time is a cache,
// until it is too many for one.
func TestGrowthOfManyTexts(t *testing.T) {
	twenty := func(i int) string { // of fifty are the same
		if i%50 < 20 {
			return "select"
		}
		return fmt.Sprint("select ", i)
	}
	for _, tt := range []struct {
		name       string
		each, most int // prepared between two sweeps, and altogether
		text       func(i int) string
		want       int // statements of the finding
	}{
		{"never enough", 50, 2400, func(i int) string { return fmt.Sprint("select ", i) }, 2400},
		{"a cache that soon knows all", 100, 2000, func(i int) string { return fmt.Sprint("select ", i) }, 0},
		{"a cache that learns slowly", 10, 900, func(i int) string { return fmt.Sprint("select ", i) }, 0},
		{"one text among many", 50, 400, twenty, 160},
		{"one text among very many", 50, 2400, twenty, 2400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watch(t)
				var stmts []*sql.Stmt
				for len(stmts) < tt.most {
					for range tt.each {
						stmts = append(stmts, must[*sql.Stmt](t)(w.Prepare(tt.text(len(stmts)))))
					}
					pass(5 * time.Second)
				}
				pass(time.Minute)
				count := 0
				findings := w.tracker.Snapshot().Findings
				for _, f := range findings {
					count += f.Count
				}
				if count != tt.want || len(findings) > 1 {
					t.Errorf("%d statements in %d findings, want %d", count, len(findings), tt.want)
				}
				for _, s := range stmts {
					s.Close()
				}
				w.Exec("update")
				pass(time.Minute)
				w.done(t)
			})
		})
	}
}
