package tracker_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// crowd has n goroutines wait for a connection.
func (s *stage) crowd(db *sql.DB, n int) {
	eventually(s.t, "all connections are taken", func() bool { return db.Stats().InUse == db.Stats().MaxOpenConnections })
	for range n {
		s.all.Go(func() { s.wait(db) })
	}
}

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
		{"a query on the transaction itself", 2, func(s *stage, db *sql.DB) {
			for range 2 {
				s.all.Go(func() {
					tx, err := db.BeginTx(s.ctx, nil)
					if err != nil {
						s.t.Error(err)
					}
					tx.ExecContext(s.ctx, "update")
					s.finish(tx)
				})
			}
			s.crowd(db, 2)
		}, ""},
		{"a Conn", 1, func(s *stage, db *sql.DB) {
			s.all.Go(func() {
				conn, err := db.Conn(s.ctx)
				if err != nil {
					s.t.Error(err)
				}
				s.wait(db)
				conn.Close()
			})
		}, "run it on the Conn"},
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
		{"connections that stay", 0, func(s *stage, db *sql.DB) {
			for range 1000 {
				db.ExecContext(s.ctx, "update")
			}
			s.all.Go(func() { s.handOver(db, s.finish) })
		}, ""},
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
			var looks int
			eventually(t, "the pool is held, and advice is given", func() bool {
				d := tr.DiagnoseNow()
				if len(d.Pools) == 0 {
					return false
				}
				advice, looks = d.Pools[0].Advice, looks+1
				return tt.want == "" && looks > 50 || len(advice) > 0
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

// TestLeftAdvice: what a goroutine has left open that is gone is told, if others
// wait for it and nobody goes on with it.
func TestLeftAdvice(t *testing.T) {
	for _, tt := range []struct {
		name    string
		ctx     context.Context
		open    func(w *watched, ctx context.Context) (use, end func())
		used    bool
		waiters int
		want    string // what the only advice begins with; empty if there is none
	}{
		{"transaction", ctx, leftTx, false, 1, "see whether the transaction of pooladvice_test.go:"},
		{"rows", ctx, leftRows, false, 1, "see whether the rows of pooladvice_test.go:"},
		{"Conn", ctx, leftConn, false, 1, "see whether the conn of pooladvice_test.go:"},
		{"another goroutine goes on with it", ctx, leftTx, true, 1, ""},
		{"nobody waits", ctx, leftTx, false, 0, ""},
		{"on purpose", tracker.LongLived(ctx, "a lock"), leftConn, false, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watch(t, tracker.WithKindThreshold(tracker.KindConn, time.Second)) // sweeps four times a second
				w.SetMaxOpenConns(1)
				var use, end func()
				go func() { use, end = tt.open(w, tt.ctx) }()
				pass(0)
				waiters := w.wait(ctx, tt.waiters)
				if tt.used {
					go func() {
						for range 100 {
							use()
							time.Sleep(300 * time.Millisecond)
						}
					}()
				}
				pass(10 * time.Second)
				got := w.tracker.DiagnoseNow().Pools[0].Advice
				if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], tt.want)) {
					t.Errorf("advice %q, want %q", got, tt.want)
				}
				pass(time.Minute)
				end()
				waiters.Wait()
				w.done(t)
			})
		})
	}
}

func leftTx(w *watched, ctx context.Context) (use, end func()) {
	tx, err := w.BeginTx(ctx, nil)
	if err != nil {
		panic(err)
	}
	return func() { tx.ExecContext(ctx, "update") }, func() { tx.Rollback() }
}

func leftRows(w *watched, ctx context.Context) (use, end func()) {
	rows, err := w.QueryContext(ctx, "rows 999")
	if err != nil {
		panic(err)
	}
	return func() { rows.Next() }, func() { rows.Close() }
}

func leftConn(w *watched, ctx context.Context) (use, end func()) {
	conn, err := w.Conn(ctx)
	if err != nil {
		panic(err)
	}
	return func() { conn.PingContext(ctx) }, func() { conn.Close() }
}

// TestLeakedRowsAdvice: rows that are proven leaked are told as such.
func TestLeakedRowsAdvice(t *testing.T) {
	w := watch(t, tracker.WithKindThreshold(tracker.KindRows, time.Second)) // sweeps four times a second
	w.SetMaxOpenConns(2)
	for range 2 {
		must[*sql.Rows](t)(w.Query("rows 9"))
	}
	var advice []string
	eventually(t, "the advice is about leaked rows", func() bool {
		advice = w.tracker.DiagnoseNow().Pools[0].Advice
		return len(advice) > 0
	})
	if len(advice) != 1 || !strings.HasPrefix(advice[0], "close the rows of pooladvice_test.go:") || !strings.HasSuffix(advice[0], ": 2 connections are lost with them") {
		t.Errorf("advice %q", advice)
	}
	w.Close()
}
