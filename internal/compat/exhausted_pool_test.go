package compat

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// oftenSwept has pools swept several times a second, and rows be overdue as late
// as ever.
var oftenSwept = tracker.WithKindThreshold(tracker.KindConn, time.Second)

// exhausted is what the tracker says of the program's DB.
func (a *app) exhausted() *tracker.Exhaustion { return a.pool().Exhausted }

// A pool of which all connections are lost is exhausted as soon as somebody
// waits, long before anything is overdue. It no longer is when one is back.
func TestExhaustedPool(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		for limit := 1; limit <= 2; limit++ {
			t.Run(fmt.Sprint("of ", limit), func(t *testing.T) {
				a := newApp(t, b, oftenSwept)
				a.db.SetMaxOpenConns(limit)
				var held []*sql.Rows
				for range limit {
					rows, err := a.db.QueryContext(a.ctx, "SELECT id FROM item") // place: exhausts the pool
					a.must(err)
					held = append(held, rows)
				}
				for range 3 {
					a.spawn(func() error {
						var name string
						return a.db.QueryRowContext(a.ctx, "SELECT name FROM item WHERE id = 1").Scan(&name)
					})
				}
				eventually(t, "the pool is exhausted", func() bool { return a.exhausted() != nil })
				x := a.exhausted()
				if x.Limit != limit || x.InUse != limit || x.Waiting < 1 || x.Waiting > 3 || x.For < time.Second {
					t.Errorf("%+v", x)
				}
				if h := x.Holders[0].Handles; len(x.Holders) != 1 || !at(h.Site, placeOf(t, "exhausts the pool")) || h.State != tracker.StateOpen || h.Count != limit {
					t.Errorf("held by %+v", x.Holders)
				}
				for _, rows := range held {
					a.must(rows.Close())
				}
				a.tasks.Wait()
				if x := a.exhausted(); x != nil {
					t.Errorf("all are back, and the pool is exhausted: %+v", x)
				}
				a.verify()
			})
		}
	})
}

// The twin: hundreds of callers on a pool of two, some of whom give up.
func TestExhaustedPoolLookalike(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		a := newApp(t, b, oftenSwept)
		a.db.SetMaxOpenConns(2)
		ctx, cancel := context.WithTimeout(a.ctx, 4*time.Second)
		defer cancel()
		var callers sync.WaitGroup
		for i := range 300 {
			callers.Go(func() {
				for ctx.Err() == nil {
					query(ctx, a.db, i)
				}
			})
		}
		callers.Wait()
		if s := a.db.Stats(); s.WaitCount < 300 {
			t.Errorf("the pool was not busy: %+v", s)
		}
		if e := a.events.all(); len(e) > 0 {
			t.Errorf("events %v", a.events.kinds())
		}
		a.verify()
	})
}

// query reads a few rows; some callers don't wait for long.
func query(ctx context.Context, db *sql.DB, caller int) {
	if caller%3 == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
	}
	rows, err := db.QueryContext(ctx, "SELECT id FROM item")
	if err != nil {
		return
	}
	defer rows.Close()
	for rows.Next() {
	}
}
