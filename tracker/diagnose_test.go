package tracker_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// stage is where goroutines play a scene with some pools, until its context is
// over.
type stage struct {
	t   *testing.T
	ctx context.Context
	dbs []*sql.DB
	all sync.WaitGroup
}

// short is the name of the function that a frame is in.
func short(f tracker.Frame) string { return f.Function[strings.LastIndexByte(f.Function, '.')+1:] }

// The scenes are functions of their own, so that their names tell the lines.

// transfer holds a transaction of one pool and asks for a connection of another,
// once all others hold theirs.
func (s *stage) transfer(from, to *sql.DB, met *sync.WaitGroup) {
	tx, err := from.BeginTx(s.ctx, nil)
	if err != nil {
		s.t.Error(err)
	}
	met.Done()
	met.Wait()
	to.QueryContext(s.ctx, "rows 1")
	tx.Rollback()
}

// nested asks for a connection with rows open.
func (s *stage) nested(db *sql.DB) {
	rows, err := db.QueryContext(s.ctx, "rows 9")
	if err != nil {
		return // it's over
	}
	defer rows.Close()
	rows.Next()
	db.ExecContext(s.ctx, "update")
}

// cache prepares statements under a lock, as caches do.
type cache struct {
	mu    sync.Mutex
	db    *sql.DB
	stmts map[string]*sql.Stmt
}

func (c *cache) get(ctx context.Context, query string) *sql.Stmt {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stmts[query] == nil {
		stmt, err := c.db.PrepareContext(ctx, query)
		if err != nil {
			return nil
		}
		c.stmts[query] = stmt
	}
	return c.stmts[query]
}

// cached looks for a statement with a transaction open.
func (s *stage) cached(c *cache, query string, met *sync.WaitGroup) {
	tx, err := c.db.BeginTx(s.ctx, nil)
	if err != nil {
		s.t.Error(err)
	}
	defer tx.Rollback()
	met.Done()
	met.Wait()
	if stmt := c.get(s.ctx, query); stmt != nil {
		stmt.Close()
	}
}

// wait asks for a connection.
func (s *stage) wait(db *sql.DB) { db.ExecContext(s.ctx, "update") }

func TestDiagnoseDeadlocks(t *testing.T) {
	transfers := func(n int, from, to int) func(s *stage) {
		return func(s *stage) {
			var met sync.WaitGroup
			met.Add(n)
			for range n {
				s.all.Go(func() { s.transfer(s.dbs[from], s.dbs[to], &met) })
			}
		}
	}
	for _, tt := range []struct {
		name   string
		limits []int
		play   func(s *stage)
		// waiting is how many goroutines wait in the end, in all pools.
		waiting int
		want    []string // deadlocks: pools, goroutines, what they hold, and where they wait
	}{
		{"a query inside of rows", []int{1}, func(s *stage) { s.all.Go(func() { s.nested(s.dbs[0]) }) },
			1, []string{"[p0] rows nested/nested"}},
		{"two transactions", []int{2}, transfers(2, 0, 0),
			2, []string{"[p0] tx transfer/transfer, tx transfer/transfer"}},
		{"six transactions", []int{6}, transfers(6, 0, 0),
			6, []string{"[p0] " + strings.Repeat("tx transfer/transfer, ", 5) + "tx transfer/transfer"}},
		{"two pools crosswise", []int{1, 1}, func(s *stage) {
			var met sync.WaitGroup
			met.Add(2)
			s.all.Go(func() { s.transfer(s.dbs[0], s.dbs[1], &met) })
			s.all.Go(func() { s.transfer(s.dbs[1], s.dbs[0], &met) })
		}, 2, []string{"[p0 p1] tx transfer/transfer, tx transfer/transfer"}},
		{"two pools, each by itself", []int{1, 2}, func(s *stage) {
			s.all.Go(func() { s.nested(s.dbs[0]) })
			transfers(2, 1, 1)(s)
		}, 3, []string{"[p0] rows nested/nested", "[p1] tx transfer/transfer, tx transfer/transfer"}},
		{"a cache of statements", []int{2}, func(s *stage) {
			var met sync.WaitGroup
			met.Add(2)
			c := &cache{db: s.dbs[0], stmts: make(map[string]*sql.Stmt)}
			s.all.Go(func() { s.cached(c, "rows 1", &met) })
			s.all.Go(func() { s.cached(c, "rows 2", &met) })
		}, 1, []string{"[p0] tx cached/get, tx cached/get"}},

		{"a cache of statements, behind one that goes on", []int{1}, func(s *stage) {
			c := &cache{db: s.dbs[0], stmts: make(map[string]*sql.Stmt)}
			c.mu.Lock()
			var met sync.WaitGroup
			met.Add(1)
			s.all.Go(func() { s.cached(c, "rows 1", &met) })
			met.Wait()
			s.all.Go(func() { s.wait(s.dbs[0]) })
			s.all.Go(func() { <-s.ctx.Done(); c.mu.Unlock() })
		}, 1, nil},
		{"a transaction of which another goroutine is in charge", []int{1}, func(s *stage) {
			s.all.Go(func() {
				tx, err := s.dbs[0].BeginTx(s.ctx, nil)
				if err != nil {
					s.t.Error(err)
				}
				s.all.Go(func() { <-s.ctx.Done(); tx.Rollback() })
				s.wait(s.dbs[0])
			})
		}, 1, nil},
		{"one of two goes on", []int{2}, func(s *stage) {
			tx, err := s.dbs[0].BeginTx(s.ctx, nil)
			if err != nil {
				s.t.Error(err)
			}
			s.all.Go(func() { s.nested(s.dbs[0]) })
			s.all.Go(func() { <-s.ctx.Done(); tx.Rollback() })
			eventually(s.t, "both connections are taken", func() bool { return s.dbs[0].Stats().InUse == 2 })
			for range 3 {
				s.all.Go(func() { s.wait(s.dbs[0]) })
			}
		}, 4, nil},
		{"a leak, and who waits for it", []int{1}, func(s *stage) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				if _, err := s.dbs[0].BeginTx(s.ctx, nil); err != nil {
					s.t.Error(err)
				}
			}()
			<-done
			s.all.Go(func() { s.wait(s.dbs[0]) })
		}, 1, nil},
		{"one pool waits for another, which goes on", []int{1, 1}, func(s *stage) {
			held, err := s.dbs[1].BeginTx(s.ctx, nil)
			if err != nil {
				s.t.Error(err)
			}
			s.all.Go(func() { <-s.ctx.Done(); held.Rollback() })
			var met sync.WaitGroup
			met.Add(1)
			s.all.Go(func() { s.transfer(s.dbs[0], s.dbs[1], &met) })
			met.Wait()
			s.all.Go(func() { s.wait(s.dbs[0]) })
		}, 2, nil},
		{"a pool without a limit", []int{0}, func(s *stage) { s.all.Go(func() { s.nested(s.dbs[0]) }) }, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, dbs := pools(t, tt.limits)
			s := &stage{t: t, dbs: dbs}
			var end context.CancelFunc
			s.ctx, end = context.WithCancel(ctx)
			tt.play(s)
			var d tracker.Diagnosis
			eventually(t, fmt.Sprintf("%d goroutines wait", tt.waiting), func() bool {
				d = w.DiagnoseNow()
				n := 0
				for _, p := range d.Pools {
					n += p.Waiting
				}
				return n == tt.waiting
			})
			// It may have been made while they were on their way.
			if len(tt.want) > 0 {
				eventually(t, "the deadlocks are found", func() bool {
					d = w.DiagnoseNow()
					return len(d.Deadlocks) == len(tt.want)
				})
			}
			for range 20 {
				if again := w.DiagnoseNow(); len(again.Deadlocks) != len(tt.want) {
					t.Errorf("%d deadlocks, and then %d", len(tt.want), len(again.Deadlocks))
				}
			}
			var got []string
			for _, l := range d.Deadlocks {
				var members []string
				for _, m := range l.Members {
					members = append(members, fmt.Sprintf("%v %s/%s", m.Kind, short(m.Holds), short(m.Waits)))
				}
				got = append(got, fmt.Sprintf("%v %s", l.Pools, strings.Join(members, ", ")))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("deadlocks %q\nwant      %q\n%+v", got, tt.want, d)
			}
			end()
			s.all.Wait()
			for _, db := range dbs {
				db.Close()
			}
			w.AssertNoLeaks(t, tracker.IncludeDBs())
		})
	}
}

// pools opens one with each of the limits, named p0 and so on.
func pools(t *testing.T, limits []int) (*tracker.Tracker, []*sql.DB) {
	t.Helper()
	var dbs []*sql.DB
	first := watchConnector(t, &nopdriver.Connector{})
	first.Close()
	for i, limit := range limits {
		db := openNamed(first.tracker, fmt.Sprintf("p%d", i))
		db.SetMaxOpenConns(limit)
		dbs = append(dbs, db)
	}
	return first.tracker, dbs
}

// TestDiagnoseBusyPools looks, over and over, at pools that are full and busy,
// and in which goroutines that hold a connection wait for another: while one of
// them may go on, that's no deadlock.
func TestDiagnoseBusyPools(t *testing.T) {
	looks := 1000
	if testing.Short() {
		looks = 100
	}
	tr, dbs := pools(t, []int{3, 2})
	s := &stage{t: t, dbs: dbs}
	var end context.CancelFunc
	s.ctx, end = context.WithCancel(ctx)
	nesting := make(chan struct{}, 2) // fewer than there are connections
	for range 4 {
		s.all.Go(func() {
			for s.ctx.Err() == nil {
				nesting <- struct{}{}
				s.nested(dbs[0])
				<-nesting
			}
		})
		s.all.Go(func() {
			for s.ctx.Err() == nil {
				s.wait(dbs[0])
			}
		})
		s.all.Go(func() {
			for s.ctx.Err() == nil {
				tx, err := dbs[1].BeginTx(s.ctx, nil)
				if err != nil {
					return
				}
				done := make(chan struct{})
				go func() {
					defer close(done)
					tx.ExecContext(s.ctx, "update")
					tx.Commit()
				}()
				s.wait(dbs[1]) // while somebody else is about to commit
				<-done
			}
		})
	}
	waited := 0
	for range looks {
		d := tr.DiagnoseNow()
		if len(d.Deadlocks) > 0 {
			t.Fatalf("%+v", d)
		}
		for _, p := range d.Pools {
			waited += p.Waiting
		}
	}
	if waited == 0 {
		t.Error("nobody ever waited: the pools weren't busy")
	}
	end()
	s.all.Wait()
	for _, db := range dbs {
		db.Close()
	}
	tr.AssertNoLeaks(t, tracker.IncludeDBs())
}
