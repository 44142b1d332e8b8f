package compat

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// holds opens a transaction, and then does something that takes long.
func (a *app) holds(then func()) error {
	tx, err := a.db.BeginTx(a.ctx, nil) // place: diagnosis, holder
	if err != nil {
		return err
	}
	defer tx.Rollback()
	then()
	return nil
}

func (a *app) sleeps() {
	for a.ctx.Err() == nil {
		time.Sleep(time.Second) // place: diagnosis, sleeps
	}
}

func (a *app) waitsForChannel() { <-a.ctx.Done() } // place: diagnosis, waits for a channel

// asks waits for a connection.
func (a *app) asks(db *sql.DB) error {
	_, err := db.ExecContext(a.ctx, "SELECT 1") // place: diagnosis, asks
	return err
}

// What holders do now is told, with the line, and who waits for them. They may go
// on: there is no deadlock.
func TestHolders(t *testing.T) {
	for _, h := range []struct {
		name, state, at string
		do              func(a *app)
	}{
		{"sleeps", "sleep", "diagnosis, sleeps", (*app).sleeps},
		{"waits for a channel", "chan receive", "diagnosis, waits for a channel", (*app).waitsForChannel},
		{"has exited", "exited", "", nil},
	} {
		t.Run(h.name, func(t *testing.T) {
			onEach(t, backends, func(t *testing.T, b *backend) {
				t.Parallel()
				a := newApp(t, b, oftenSwept)
				a.db.SetMaxOpenConns(1)
				opened := make(chan struct{})
				a.jammed(func() error {
					if h.do == nil {
						defer close(opened)
						_, err := a.db.BeginTx(a.ctx, nil) // place: diagnosis, holder that exits
						return err
					}
					return a.holds(func() { close(opened); h.do(a) })
				})
				<-opened
				for range 3 {
					a.jammed(func() error { return a.asks(a.db) })
				}
				var d tracker.PoolDiagnosis
				eventually(t, "three wait, and the holder is where it stays", func() bool {
					if all := a.tracker.Diagnose().Pools; len(all) == 1 {
						d = all[0]
					}
					return d.Waiting == 3 && len(d.Holders) == 1 && d.Holders[0].Openers[0].State == h.state
				})
				holder, opener := "diagnosis, holder", d.Holders[0].Openers[0]
				if h.do == nil {
					holder = "diagnosis, holder that exits"
				}
				if f := d.Holders[0].Handles; nameOf(f.Site) != holder || f.Kind != tracker.KindTx || f.Count != 1 {
					t.Errorf("held by %v", f)
				}
				if h.at != "" && nameOf(opener.At) != h.at || h.at == "" && opener.At != (tracker.Frame{}) {
					t.Errorf("the opener is at %v", opener.At)
				}
				if w := d.Waiters; len(w) != 1 || w[0].Count != 3 || nameOf(w[0].Site) != "diagnosis, asks" {
					t.Errorf("waiters %+v", w)
				}
				eventually(t, "the pool is exhausted", func() bool { return a.toldExhausted() != nil })
				x := a.toldExhausted()
				if len(x.Deadlocks) > 0 || len(x.Waiters) != 1 || len(x.Holders) != 1 {
					t.Fatalf("told %+v", x)
				}
				if o := x.Holders[0].Openers; len(o) != 1 || o[0].State != h.state || o[0].At != opener.At {
					t.Errorf("told of openers %+v", o)
				}
				if x.Growth != "in use rose from 0 to 1 within 10s" {
					t.Errorf("told that %q", x.Growth)
				}
				left := func(advice []string) bool {
					return len(advice) == 1 && strings.HasPrefix(advice[0], "see whether the transaction of diagnosis_holders_test.go:")
				}
				if len(x.Advice) > 0 && (h.do != nil || !left(x.Advice)) {
					t.Errorf("advice %q, of %+v", x.Advice, x.Holders[0].Openers)
				}
				if h.do == nil { // if the machine stood still it may be told later
					eventually(t, "there is advice", func() bool { return left(a.tracker.Diagnose().Pools[0].Advice) })
				}
			})
		})
	}
}

// Of a DB on a driver that was registered nobody knows the limit: no deadlock is
// claimed, but who waits is told.
func TestRegisteredDriverJam(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		t.Parallel()
		a := newApp(t, b)
		name := fmt.Sprintf("%s-jam-%d", b.name, len(sql.Drivers()))
		driverwrap.Register(name, a.db.Driver(), driverwrap.WithTracker(a.tracker), driverwrap.WithName("registered"))
		db, err := sql.Open(name, a.source)
		a.must(err)
		a.leftovers = append(a.leftovers, db.Close)
		db.SetMaxOpenConns(1)
		a.jammed(func() error { return a.nestedQuery(db, nil) })
		eventually(t, "who waits is told", func() bool {
			d := a.tracker.Diagnose()
			if len(d.Deadlocks) > 0 {
				t.Fatalf("claimed: %+v", d.Deadlocks)
			}
			if len(d.Pools) != 1 || len(d.Pools[0].Waiters) != 1 {
				return false
			}
			p := d.Pools[0]
			if nameOf(p.Waiters[0].Site) != "jam, inner query" || nameOf(p.Holders[0].Handles.Site) != "jam, outer rows" ||
				p.Known || p.Holders[0].Openers[0].WaitsFor != "registered" {
				t.Errorf("%+v", p)
			}
			return true
		})
	})
}
