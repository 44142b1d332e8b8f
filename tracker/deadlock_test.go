package tracker_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

func TestDeadlocksBehindOthers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		limit   int
		play    func(s *stage, db *sql.DB)
		waiting int
		want    string // what the members hold and where they wait, "behind" others
	}{
		{"goroutines that it started", 1, func(s *stage, db *sql.DB) { s.all.Go(func() { s.fanOut(db) }) },
			2, "tx fanOut/fanOut behind func1"},
		{"its parent, who has the lock", 1, func(s *stage, db *sql.DB) {
			c := &cache{db: db}
			s.all.Go(func() {
				var met sync.WaitGroup
				met.Add(1)
				c.refresh(s, func() {
					s.all.Go(func() { s.cached(c, "rows 1", &met) })
					met.Wait()
				})
			})
		}, 1, "tx cached/get behind refresh"},
		{"a server that it started", 1, func(s *stage, db *sql.DB) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				s.t.Fatal(err)
			}
			s.all.Go(func() {
				s.all.Go(func() { l.Accept() })
				s.nested(db)
			})
			context.AfterFunc(s.ctx, func() { l.Close() })
		}, 1, "rows nested/nested"},
		{"in a pool whose limit was lowered", 3, func(s *stage, db *sql.DB) {
			var met sync.WaitGroup
			met.Add(4)
			for range 3 {
				s.all.Go(func() { s.transfer(db, db, &met) })
			}
			for db.Stats().InUse < 3 {
				time.Sleep(time.Millisecond)
			}
			db.SetMaxOpenConns(1)
			met.Done()
		}, 3, strings.Repeat("tx transfer/transfer, ", 2) + "tx transfer/transfer"},

		{"an iterator that asks", 1, func(s *stage, db *sql.DB) { s.all.Go(func() { s.pull(db, true) }) },
			1, "tx pull/pull behind wait"},
		{"an iterator that holds", 1, func(s *stage, db *sql.DB) { s.all.Go(func() { s.merge(db, s.wait) }) },
			1, "rows func1/func1 behind wait"},
		{"a channel of a goroutine that it started", 1, func(s *stage, db *sql.DB) { s.all.Go(func() { s.await(db, nil) }) },
			1, "tx await/await behind wait in doubt"},

		{"an iterator whose reader goes on", 1, func(s *stage, db *sql.DB) {
			s.all.Go(func() { s.merge(db, func(*sql.DB) { <-s.ctx.Done() }) })
			s.crowd(db, 1)
		}, 1, ""},
		{"an iterator that goes on", 1, func(s *stage, db *sql.DB) {
			s.all.Go(func() { s.pull(db, false) })
			s.crowd(db, 1)
		}, 1, ""},
		{"a channel of a goroutine that goes on, beside one that doesn't", 1, func(s *stage, db *sql.DB) {
			s.all.Go(func() { s.await(db, func() { <-s.ctx.Done() }) })
		}, 1, ""},
		{"a lock of a method that goes on", 1, func(s *stage, db *sql.DB) {
			c := &cache{db: db}
			var met, locked sync.WaitGroup
			met.Add(1)
			locked.Add(1)
			s.all.Go(func() { c.slow(s, &locked) })
			locked.Wait()
			s.all.Go(func() { s.cached(c, "rows 1", &met) })
			met.Wait()
			s.all.Go(func() { c.count(s) })
		}, 1, ""},
		{"a lock of a function that goes on", 1, func(s *stage, db *sql.DB) {
			c := &cache{db: db}
			var met, locked sync.WaitGroup
			met.Add(1)
			locked.Add(1)
			s.all.Go(func() { slow(s, c, &locked) })
			locked.Wait()
			s.all.Go(func() { s.cached(c, "rows 1", &met) })
			met.Wait()
			s.all.Go(func() { c.count(s) })
		}, 1, ""},
		{"a worker that was handed the transaction", 1, func(s *stage, db *sql.DB) {
			given := make(chan *sql.Tx)
			s.all.Go(func() { s.finish(<-given) })
			s.all.Go(func() { s.handOver(db, func(tx *sql.Tx) { given <- tx }) })
		}, 1, ""},
		{"a transaction in a Conn that another goroutine has begun", 1, func(s *stage, db *sql.DB) {
			conn, err := db.Conn(s.ctx)
			if err != nil {
				s.t.Fatal(err)
			}
			begun := make(chan struct{})
			s.all.Go(func() {
				tx, err := conn.BeginTx(s.ctx, nil)
				if err != nil {
					s.t.Error(err)
				}
				close(begun)
				<-s.ctx.Done()
				tx.Rollback()
				conn.Close()
			})
			<-begun
			s.all.Go(func() { s.wait(db) })
		}, 1, ""},
		{"a group, one of which goes on", 2, func(s *stage, db *sql.DB) {
			s.all.Go(func() {
				tx, err := db.BeginTx(s.ctx, nil)
				if err != nil {
					s.t.Error(err)
				}
				var group sync.WaitGroup
				group.Go(func() { <-s.ctx.Done() })
				group.Go(func() { s.nested(db) })
				group.Wait()
				tx.Rollback()
			})
		}, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, dbs := pools(t, []int{tt.limit})
			s := &stage{t: t, dbs: dbs}
			var end context.CancelFunc
			s.ctx, end = context.WithCancel(ctx)
			tt.play(s, dbs[0])
			var d tracker.Diagnosis
			eventually(t, "they wait", func() bool {
				d = w.DiagnoseNow()
				return len(d.Pools) == 1 && d.Pools[0].Waiting == tt.waiting && (tt.want == "" || len(d.Deadlocks) == 1)
			})
			for range 20 {
				if d := w.DiagnoseNow(); tt.want == "" && len(d.Deadlocks) > 0 {
					t.Fatalf("%+v", d.Deadlocks)
				}
			}
			for _, l := range d.Deadlocks {
				if got := membersOf(l); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			}
			end()
			s.all.Wait()
			dbs[0].Close()
			w.AssertNoLeaks(t, tracker.IncludeDBs())
		})
	}
}

func membersOf(l tracker.Deadlock) string {
	var out []string
	for _, m := range l.Members {
		said := fmt.Sprintf("%v %s/%s", m.Kind, short(m.Holds), short(m.Waits))
		if m.Behind != 0 {
			said += " behind " + short(m.BehindAt)
		}
		if m.Via == tracker.LinkChannel && strings.Contains(l.Doubt, "for something else than goroutine ") {
			said += " in doubt"
		}
		out = append(out, said)
	}
	return strings.Join(out, ", ")
}

// TestDeadlockIsSure: what looks like a deadlock is told if it still does three
// seconds later, and not if somebody has used what is held. It is in doubt as
// long as a worker may have been handed that.
func TestDeadlockIsSure(t *testing.T) {
	for _, tt := range []struct {
		name string
		use  func(tx *sql.Tx) // every two seconds
		want int
	}{
		{"nobody uses it", func(tx *sql.Tx) {}, 1},
		{"a worker uses it", func(tx *sql.Tx) { tx.Exec("update") }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watch(t)
				w.SetMaxOpenConns(1)
				s := &stage{t: t}
				var end context.CancelFunc
				s.ctx, end = context.WithCancel(ctx)
				given := make(chan func())
				s.all.Go(func() {
					use := <-given
					for s.ctx.Err() == nil {
						use()
						time.Sleep(2 * time.Second)
					}
				})
				s.all.Go(func() {
					s.handOver(w.DB, func(tx *sql.Tx) { given <- func() { tt.use(tx) } })
				})
				pass(time.Second)
				if raw := w.tracker.DiagnoseNow(); len(raw.Deadlocks) != 1 {
					t.Errorf("nothing is suspected: %+v", raw)
				}
				for range 10 {
					if d := w.tracker.Diagnose(); len(d.Deadlocks) != tt.want {
						t.Errorf("%d deadlocks, want %d", len(d.Deadlocks), tt.want)
					}
					pass(1777 * time.Millisecond)
				}
				for _, l := range w.tracker.Diagnose().Deadlocks {
					if !strings.HasSuffix(l.Doubt, " has been handed what they hold") || l.Headline() != "suspected deadlock" || !strings.HasSuffix(l.Reason, ", unless "+l.Doubt) {
						t.Errorf("%+v", l)
					}
				}
				told := slices.DeleteFunc(w.exhaustions(), func(e tracker.Event) bool { return e.Kind != tracker.EventExhausted })
				if len(told) != 1 || len(told[0].Exhausted.Deadlocks) != tt.want {
					t.Errorf("told %+v", told)
				}
				end()
				s.all.Wait()
				pass(20 * time.Second)
				w.done(t)
			})
		})
	}
}
