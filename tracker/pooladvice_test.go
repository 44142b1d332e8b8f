package tracker_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"
)

// TestPoolAdvice: what is sure is said in a line, and nothing else.
func TestPoolAdvice(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit int
		play  func(s *stage, db *sql.DB)
		want  string // part of the only advice; empty if there is none
	}{
		{"a query inside of rows", 1, func(s *stage, db *sql.DB) { s.all.Go(func() { s.nested(db) }) }, "with the rows of diagnose_test.go:"},
		{"transactions", 2, func(s *stage, db *sql.DB) {
			var met sync.WaitGroup
			met.Add(2)
			for range 2 {
				s.all.Go(func() { s.transfer(db, db, &met) })
			}
		}, "run it on the transaction"},
		{"no limit", 0, func(s *stage, db *sql.DB) {
			for range 100 {
				s.all.Go(func() { s.handOver(db, s.finish) })
			}
		}, "SetMaxOpenConns"},
		{"few connections, without a limit", 0, func(s *stage, db *sql.DB) { s.all.Go(func() { s.handOver(db, s.finish) }) }, ""},
		{"connections that come and go", 0, func(s *stage, db *sql.DB) {
			db.SetMaxIdleConns(-1)
			for range 1000 {
				db.ExecContext(s.ctx, "update")
			}
			s.all.Go(func() { s.handOver(db, s.finish) })
		}, "SetMaxIdleConns"},
		{"who waits for others' connections", 1, func(s *stage, db *sql.DB) {
			s.all.Go(func() { s.handOver(db, s.finish) })
			for db.Stats().InUse == 0 {
			}
			s.all.Go(func() { s.wait(db) })
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr, dbs := pools(t, []int{tt.limit})
			s := &stage{t: t, dbs: dbs}
			var end context.CancelFunc
			s.ctx, end = context.WithCancel(ctx)
			tt.play(s, dbs[0])
			var advice []string
			eventually(t, "the pool is held", func() bool {
				d := tr.DiagnoseNow()
				if len(d.Pools) == 0 {
					return false
				}
				advice = d.Pools[0].Advice
				return tt.want == "" || len(advice) > 0
			})
			if tt.want == "" && len(advice) > 0 || tt.want != "" && (len(advice) != 1 || !strings.Contains(advice[0], tt.want)) {
				t.Errorf("advice %q, want %q", advice, tt.want)
			}
			end()
			s.all.Wait()
			dbs[0].Close()
		})
	}
}
