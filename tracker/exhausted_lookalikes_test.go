package tracker_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
)

// TestExhaustedLookalikes: what looks like exhaustion at a glance.
func TestExhaustedLookalikes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		takes time.Duration // each query
		use   func(t *testing.T, w *watched)
	}{
		{"hundreds of callers", 300 * time.Millisecond, func(t *testing.T, w *watched) {
			w.SetMaxOpenConns(2)
			for range 3 {
				w.wait(ctx, 300).Wait()
			}
		}},
		{"callers who give up", 700 * time.Millisecond, func(t *testing.T, w *watched) {
			w.SetMaxOpenConns(2)
			for range 20 {
				ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
				w.wait(ctx, 30).Wait()
				cancel()
			}
		}},
		{"full, and nobody waits", 0, func(t *testing.T, w *watched) {
			w.SetMaxOpenConns(1)
			tx := must[*sql.Tx](t)(w.Begin())
			pass(20 * time.Second)
			tx.Rollback()
		}},
		{"who waited has it, and keeps it", 0, func(t *testing.T, w *watched) {
			w.SetMaxOpenConns(1)
			tx := must[*sql.Tx](t)(w.Begin())
			got := make(chan *sql.Tx)
			go func() {
				tx, _ := w.Begin()
				got <- tx
			}()
			pass(500 * time.Millisecond)
			tx.Rollback()
			tx = <-got
			pass(20 * time.Second)
			tx.Rollback()
		}},
		{"without a limit", 0, func(t *testing.T, w *watched) {
			tx := must[*sql.Tx](t)(w.Begin())
			w.wait(ctx, 9).Wait()
			pass(20 * time.Second)
			tx.Rollback()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watchConnector(t, &nopdriver.Connector{Before: func(_ context.Context, call, _ string) error {
					if call == "query" {
						time.Sleep(tt.takes) // of the bubble
					}
					return nil
				}})
				tt.use(t, w)
				pass(20 * time.Second)
				w.events.expect(t)
				w.done(t)
			})
		})
	}
}

// TestExhaustedUnknownLimit: nobody tells the limit of a DB on a driver that
// was merely registered.
func TestExhaustedUnknownLimit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		other := sql.OpenDB(driverwrap.WrapConnector(&nopdriver.Connector{}, driverwrap.WithTracker(w.tracker)))
		other.SetMaxOpenConns(1)
		rows := must[*sql.Rows](t)(other.Query("rows 9"))
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		(&watched{DB: other}).wait(ctx, 3).Wait()
		w.events.expect(t)
		rows.Close()
		other.Close()
		w.done(t)
	})
}
