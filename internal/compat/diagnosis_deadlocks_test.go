package compat

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// jam is a way in which goroutines of a program come to wait for each other.
type jam struct {
	name string
	// limits are those of the pools: "shop" and, if there are two, "archive".
	limits []int
	// play runs the program's goroutines, until a.ctx ends. met is of as many
	// as there are connections: who has one waits until all are taken.
	play func(a *app, dbs []*sql.DB, met *sync.WaitGroup)
	// want lists the members of the deadlock by kind, pool and the names of the
	// lines: "tx of shop: opened, waits".
	want []string
	// healthy is the same program with room in its pools.
	healthy []int
}

const readItems = "SELECT id FROM item"

// nestedQuery asks for a connection with rows open.
func (a *app) nestedQuery(db *sql.DB, met *sync.WaitGroup) error {
	rows, err := db.QueryContext(a.ctx, readItems) // place: jam, outer rows
	if err != nil {
		return err
	}
	defer rows.Close()
	rows.Next()
	meet(met)
	var n int
	return db.QueryRowContext(a.ctx, "SELECT COUNT(*) FROM item").Scan(&n) // place: jam, inner query
}

// transfer asks for a connection with a transaction open.
func (a *app) transfer(from, to *sql.DB, met *sync.WaitGroup) error {
	tx, err := from.BeginTx(a.ctx, nil) // place: jam, transaction
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRowContext(a.ctx, "SELECT COUNT(*) FROM item").Scan(&n); err != nil {
		return err
	}
	meet(met)
	return to.QueryRowContext(a.ctx, "SELECT COUNT(*) FROM item").Scan(&n) // place: jam, second connection
}

// fanOut asks for connections in a group, with a Conn and a transaction in it
// open.
func (a *app) fanOut(db *sql.DB, met *sync.WaitGroup) error {
	conn, err := db.Conn(a.ctx) // place: jam, Conn
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := conn.BeginTx(a.ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	meet(met)
	group, ctx := errgroup.WithContext(a.ctx)
	for range 2 {
		group.Go(func() error {
			_, err := db.ExecContext(ctx, "SELECT 1") // place: jam, task of the group
			return err
		})
	}
	return group.Wait() // place: jam, waits for the group
}

// statements is a cache of statements as programs have it.
type statements struct {
	mu    sync.Mutex
	db    *sql.DB
	known map[string]*sql.Stmt
}

func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock() // place: jam, lock of the cache
	defer s.mu.Unlock()
	if stmt := s.known[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.db.PrepareContext(ctx, query) // place: jam, prepares
	if err == nil {
		s.known[query] = stmt
	}
	return stmt, err
}

// withCache looks for a statement with a transaction open.
func (a *app) withCache(s *statements, query string, met *sync.WaitGroup) error {
	tx, err := s.db.BeginTx(a.ctx, nil) // place: jam, transaction beside the cache
	if err != nil {
		return err
	}
	defer tx.Rollback()
	meet(met)
	stmt, err := s.get(a.ctx, query)
	if err != nil {
		return err
	}
	_, err = tx.StmtContext(a.ctx, stmt).ExecContext(a.ctx)
	return err
}

// itemIDs reads items as they are asked for.
func (a *app) itemIDs(db *sql.DB) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		rows, err := db.QueryContext(a.ctx, readItems) // place: jam, rows of an iterator
		if err != nil {
			yield(0, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var id int
			err := rows.Scan(&id)
			if !yield(id, err) { // place: jam, yields
				return
			}
		}
	}
}

// beside asks for a connection between two values of an iterator.
func (a *app) beside(db *sql.DB, met *sync.WaitGroup) error {
	next, stop := iter.Pull2(a.itemIDs(db))
	defer stop()
	if _, err, _ := next(); err != nil {
		return err
	}
	meet(met)
	var n int
	return db.QueryRowContext(a.ctx, "SELECT COUNT(*) FROM item").Scan(&n) // place: jam, beside the iterator
}

// meet waits until all have met, or doesn't where nobody has to.
func meet(met *sync.WaitGroup) {
	if met != nil {
		met.Done()
		met.Wait()
	}
}

var jams = []jam{
	{"a query inside of rows", []int{1}, func(a *app, dbs []*sql.DB, met *sync.WaitGroup) {
		a.jammed(func() error { return a.nestedQuery(dbs[0], met) })
	}, []string{"rows of shop: jam, outer rows; jam, inner query"}, []int{2}},
	{"two transactions", []int{2}, transfers(2), slices.Repeat([]string{"tx of shop: jam, transaction; jam, second connection"}, 2), []int{3}},
	{"six transactions", []int{6}, transfers(6), slices.Repeat([]string{"tx of shop: jam, transaction; jam, second connection"}, 6), []int{7}},
	{"two pools, crosswise", []int{1, 1}, func(a *app, dbs []*sql.DB, met *sync.WaitGroup) {
		a.jammed(func() error { return a.transfer(dbs[0], dbs[1], met) })
		a.jammed(func() error { return a.transfer(dbs[1], dbs[0], met) })
	}, []string{"tx of archive: jam, transaction; jam, second connection", "tx of shop: jam, transaction; jam, second connection"}, []int{2, 2}},
	{"a group, with a transaction in a Conn open", []int{1}, func(a *app, dbs []*sql.DB, met *sync.WaitGroup) {
		a.jammed(func() error { return a.fanOut(dbs[0], met) })
	}, []string{"conn of shop: jam, Conn; jam, waits for the group; jam, task of the group"}, []int{2}},
	{"a query between two values of an iterator", []int{1}, func(a *app, dbs []*sql.DB, met *sync.WaitGroup) {
		a.jammed(func() error { return a.beside(dbs[0], met) })
	}, []string{"rows of shop: jam, rows of an iterator; jam, yields; jam, beside the iterator"}, []int{2}},
	{"a cache of statements", []int{2}, func(a *app, dbs []*sql.DB, met *sync.WaitGroup) {
		s := &statements{db: dbs[0], known: make(map[string]*sql.Stmt)}
		for i := range 2 {
			a.jammed(func() error { return a.withCache(s, fmt.Sprint("SELECT ", i), met) })
		}
	}, []string{"tx of shop: jam, transaction beside the cache; jam, lock of the cache; jam, prepares", "tx of shop: jam, transaction beside the cache; jam, prepares"}, []int{3}},
}

func transfers(n int) func(a *app, dbs []*sql.DB, met *sync.WaitGroup) {
	return func(a *app, dbs []*sql.DB, met *sync.WaitGroup) {
		for range n {
			a.jammed(func() error { return a.transfer(dbs[0], dbs[0], met) })
		}
	}
}

// jammed runs a goroutine of the program that may find its context over.
func (a *app) jammed(task func() error) {
	a.tasks.Go(func() {
		if err := task(); err != nil && a.ctx.Err() == nil {
			a.t.Error(err)
		}
	})
}

// pools are the program's DB and, if it has two, another one.
func (a *app) pools(limits []int) []*sql.DB {
	a.db.SetMaxOpenConns(limits[0])
	dbs := []*sql.DB{a.db}
	if len(limits) > 1 {
		db := driverwrap.OpenDB(a.conns, driverwrap.WithTracker(a.tracker), driverwrap.WithName("archive"))
		db.SetMaxOpenConns(limits[1])
		a.leftovers = append(a.leftovers, db.Close)
		a.more = append(a.more, db)
		dbs = append(dbs, db)
	}
	return dbs
}

// toldExhausted is the first thing that is told of an exhausted pool.
func (a *app) toldExhausted() *tracker.Exhaustion {
	for _, e := range a.events.all() {
		if e.Exhausted != nil {
			return e.Exhausted
		}
	}
	return nil
}

// member says who is in a deadlock, with the names of the lines.
func member(m tracker.DeadlockMember) string {
	said := fmt.Sprintf("%v of %s: %s; %s", m.Kind, m.Pool, nameOf(m.Holds), nameOf(m.Waits))
	if m.Behind != 0 {
		said += "; " + nameOf(m.BehindAt)
	}
	return said
}

// nameOf is the name of the marked line.
func nameOf(f tracker.Frame) string {
	all, err := places()
	for name, place := range all {
		if err == nil && at(f, place) {
			return name
		}
	}
	return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
}

// Each jam is told when the pool is exhausted, with everybody who is in it.
func TestDeadlocks(t *testing.T) {
	slots := make(chan struct{}, 2) // trackers share the time that dumps may take
	onEach(t, backends, func(t *testing.T, b *backend) {
		for i, j := range jams {
			if i > 0 && (b == pqBackend || b == sqliteBackend) {
				continue // what waits for what is no matter of the driver's
			}
			t.Run(j.name, func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				a := newApp(t, b, oftenSwept)
				dbs := a.pools(j.limits)
				var met sync.WaitGroup
				for _, n := range j.limits {
					met.Add(n)
				}
				start := time.Now()
				j.play(a, dbs, &met)
				eventually(t, "the pool is exhausted", func() bool { return a.toldExhausted() != nil })
				t.Logf("told after %v", time.Since(start))
				x := a.toldExhausted()
				d := a.tracker.Diagnose()
				for _, locks := range [][]tracker.Deadlock{x.Deadlocks, d.Deadlocks} {
					if len(locks) != 1 {
						t.Fatalf("%d deadlocks: %+v", len(locks), locks)
					}
					var got []string
					for _, m := range locks[0].Members {
						got = append(got, member(m))
					}
					if slices.Sort(got); !slices.Equal(got, j.want) {
						t.Errorf("got  %q\nwant %q", got, j.want)
					}
				}
				if d.Pools[0].Waiting == 0 || !strings.Contains(x.Reason, "deadlock: ") || len(x.Advice) == 0 {
					t.Errorf("%+v\n%+v", x, d)
				}
			})
		}
	})
}

var twins = flag.Int("twins", 100, "how often each of the programs that are about to hang, and never do, is run")

// The twins: the same programs, over and over, in pools with one more
// connection, which are full most of the time, while the tracker sweeps them and is
// asked for a diagnosis.
func TestDeadlockLookalikes(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, j := range jams {
			t.Run(j.name, func(t *testing.T) {
				t.Parallel()
				a := newApp(t, b, oftenSwept)
				dbs := a.pools(j.healthy)
				for range *twins {
					j.play(a, dbs, nil)
					if d := a.tracker.Diagnose(); len(d.Deadlocks) > 0 {
						t.Fatalf("%+v", d.Deadlocks)
					}
					a.tasks.Wait()
				}
				if x := a.toldExhausted(); x != nil {
					t.Errorf("told %+v", x)
				}
			})
		}
	})
}
