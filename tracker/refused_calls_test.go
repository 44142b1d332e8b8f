package tracker_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestRefusedWhereverItIsSaid: the error of any call counts, and is passed on.
func TestRefusedWhereverItIsSaid(t *testing.T) {
	for call, use := range map[string]func(db *sql.DB) error{
		"connect": func(db *sql.DB) error { return db.Ping() },
		"query":   func(db *sql.DB) error { _, err := db.Query("rows 1"); return err },
		"exec":    func(db *sql.DB) error { _, err := db.Exec("x"); return err },
		"begin":   func(db *sql.DB) error { _, err := db.Begin(); return err },
		"prepare": func(db *sql.DB) error { _, err := db.Prepare("rows 1"); return err },
		"commit": func(db *sql.DB) error {
			tx, err := db.Begin()
			if err != nil {
				return err
			}
			return tx.Commit()
		},
		"next": func(db *sql.DB) error {
			var n int
			return db.QueryRow("rows 1").Scan(&n)
		},
	} {
		t.Run(call, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var refuse error
				w := watchConnector(t, refusing(func(c string) error {
					if c == call {
						return refuse
					}
					return nil
				}))
				for _, other := range []error{&MySQLError{Number: 1062}, context.Canceled, fmt.Errorf("refused")} {
					refuse = other
					if err := use(w.DB); err != other {
						t.Errorf("%v became %v", other, err)
					}
				}
				if s := w.tracker.Snapshot().Refusals; len(s) > 0 {
					t.Errorf("%+v", s)
				}
				refuse = tooManyConns
				if err := use(w.DB); err != refuse {
					t.Errorf("%v became %v", refuse, err)
				}
				if s := w.tracker.Snapshot().Refusals; len(s) != 1 || s[0].Count != 1 {
					t.Errorf("%+v", s)
				}
				refuse = nil
				pass(2 * time.Minute)
				w.events.expectRefusals(t, tracker.EventRefused, tracker.EventRefusedEnd)
				w.done(t)
			})
		})
	}
}

// TestRefusalsAreFew: what is remembered is bounded, and what is over goes first.
func TestRefusalsAreFew(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tr := must[*tracker.Tracker](t)(tracker.New())
		c := refusing(func(string) error { return tooManyConns })
		refuse := func(from, to int) {
			for i := from; i < to; i++ {
				db := driverwrap.OpenDB(c, driverwrap.WithTracker(tr), driverwrap.WithName(fmt.Sprint("pool ", i)))
				db.Ping()
				db.Close()
			}
		}
		refuse(0, 60)
		if s := tr.Snapshot().Refusals; len(s) != 50 || s[0].Pool != "pool 49" {
			t.Errorf("%d of them, the latest of %s", len(s), s[0].Pool)
		}
		pass(2 * time.Minute)
		refuse(60, 61)
		if s := tr.Snapshot().Refusals; len(s) != 50 || s[0].Pool != "pool 60" || s[49].Pool != "pool 1" {
			t.Errorf("%d of them, the latest of %s", len(s), s[0].Pool)
		}
		pass(2 * time.Minute)
	})
}

// TestRefusedAtOnce: many goroutines are refused while others open, close and
// read the same pools, and every refusal is counted.
func TestRefusedAtOnce(t *testing.T) {
	const callers, calls = 8, 200
	w := watchConnector(t, refusing(func(call string) error {
		if call == "exec" {
			return tooManyConns
		}
		return nil
	}))
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				if _, err := w.Exec("x"); err != tooManyConns {
					t.Error(err)
				}
				if rows, err := w.Query("rows 1"); err == nil {
					rows.Close()
				}
			}
		})
		wg.Go(func() {
			for range calls / 10 {
				db := openNamed(w.tracker, "shop")
				db.Ping()
				w.tracker.Snapshot()
				db.Close()
			}
		})
	}
	wg.Wait()
	if r := w.tracker.Snapshot().Refusals; len(r) != 1 || r[0].Count != callers*calls || len(r[0].Holders) > 5 {
		t.Errorf("%+v", r)
	}
	w.done(t)
}
