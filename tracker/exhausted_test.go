package tracker_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// exhaustions lists what was told of exhausted pools.
func (w *watched) exhaustions() (out []tracker.Event) {
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	for _, e := range w.events.events {
		if e.Exhausted != nil {
			out = append(out, e)
		}
	}
	return out
}

func (w *watched) expectExhaustions(t *testing.T, want ...tracker.EventKind) []tracker.Event {
	t.Helper()
	events := w.exhaustions()
	var got []tracker.EventKind
	for _, e := range events {
		got = append(got, e.Kind)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("events %v, want %v", got, want)
	}
	return events
}

// nowExhausted is what the snapshot says of the only pool.
func (w *watched) nowExhausted(t *testing.T) *tracker.Exhaustion {
	t.Helper()
	pools := w.tracker.Snapshot().Pools
	if len(pools) != 1 {
		t.Fatalf("pools %v", pools)
	}
	return pools[0].Exhausted
}

// wait has n calls ask for a connection, each until it gets one or ctx ends.
func (w *watched) wait(ctx context.Context, n int) *sync.WaitGroup {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if rows, err := w.QueryContext(ctx, "rows 1"); err == nil {
				rows.Close()
			}
		})
	}
	return &wg
}

func TestExhaustedByALeak(t *testing.T) {
	for limit := 1; limit <= 2; limit++ {
		t.Run(fmt.Sprint("pool of ", limit), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watch(t)
				w.SetMaxOpenConns(limit)
				var lost []*sql.Rows
				for range limit {
					lost = append(lost, must[*sql.Rows](t)(w.Query("rows 9")))
				}
				pass(3 * time.Second) // the pool is full, and nobody minds
				w.expectExhaustions(t)
				ctx, giveUp := context.WithTimeout(ctx, time.Hour)
				defer giveUp()
				waiters := w.wait(ctx, 3)
				pass(4 * time.Second) // a sweep, and another one

				e := w.expectExhaustions(t, tracker.EventExhausted)[0]
				if x := *e.Exhausted; x.Pool != "shop" || x.Limit != limit || x.InUse != limit || x.Waiting != 3 || x.GaveUp ||
					x.For != 7*time.Second || !x.Since.Equal(e.At.Add(-x.For)) || !e.Since.Equal(e.At) || e.Finding.ID != "" ||
					!strings.Contains(x.Reason, "none came back for 7s; at least 3 calls have begun to wait") {
					t.Errorf("%+v in %+v", x, e)
				}
				h := e.Exhausted.Holders[0].Handles
				if len(e.Exhausted.Holders) != 1 || h.Kind != tracker.KindRows || h.Count != limit || h.State != tracker.StateOpen ||
					!strings.Contains(h.Site.Function, "TestExhaustedByALeak") {
					t.Errorf("held by %v", h)
				}
				if x := w.nowExhausted(t); x == nil || x.For != 7*time.Second {
					t.Errorf("the snapshot says %+v", x)
				}
				lost[0].Close()
				pass(0)
				if x := w.nowExhausted(t); x != nil {
					t.Errorf("a connection is back, and the snapshot says %+v", x)
				}
				waiters.Wait()
				for _, rows := range lost {
					rows.Close()
				}
				pass(20 * time.Second)
				e = w.expectExhaustions(t, tracker.EventExhausted, tracker.EventExhaustedEnd)[1]
				if x := e.Exhausted; x.For < 7*time.Second || x.For > 9*time.Second || !strings.HasPrefix(x.Reason, "was exhausted for ") {
					t.Errorf("ended with %+v", x)
				}
				w.events.expect(t, "exhausted db×0", "exhausted_end db×0") // and nothing else
				w.done(t)
			})
		})
	}
}

// TestExhaustedWorkers: as many workers as ever lose a connection each, until
// all of them wait. Nobody comes after that.
func TestExhaustedWorkers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watchConnector(t, &nopdriver.Connector{Before: func(_ context.Context, call, _ string) error {
			if call == "query" {
				time.Sleep(9973 * time.Microsecond) // not in step with sweeps
			}
			return nil
		}})
		w.SetMaxOpenConns(2)
		ctx, stop := context.WithCancel(ctx)
		var workers sync.WaitGroup
		var lost [2]*sql.Rows
		for i := range 5 {
			workers.Go(func() {
				for n := 0; ; n++ {
					rows, err := w.QueryContext(ctx, "rows 9")
					if err != nil {
						return
					}
					if i < len(lost) && n == 500 {
						lost[i] = rows
						continue
					}
					rows.Close()
				}
			})
		}
		pass(time.Minute)
		e := w.expectExhaustions(t, tracker.EventExhausted)
		if x := e[0].Exhausted; x.Waiting < 1 || x.Waiting > 5 || x.For > 6*time.Second {
			t.Errorf("%+v", x)
		}
		stop()
		workers.Wait()
		for _, rows := range lost {
			rows.Close()
		}
		pass(20 * time.Second)
		w.done(t)
	})
}

// TestExhaustedNowAndThen: a pool from which a connection comes back every few
// seconds is one trouble.
func TestExhaustedNowAndThen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		w.SetMaxOpenConns(1)
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				tx := must[*sql.Tx](t)(w.Begin())
				time.Sleep(4987 * time.Millisecond) // not in step with sweeps
				tx.Rollback()
			})
		}
		wg.Wait() // 199 s
		pass(time.Minute)
		e := w.expectExhaustions(t, tracker.EventExhausted, tracker.EventExhaustedOngoing, tracker.EventExhaustedOngoing, tracker.EventExhaustedEnd)
		if d := e[2].At.Sub(e[1].At); d < 2*time.Minute || d > 2*time.Minute+10*time.Second {
			t.Errorf("%v between the summaries", d)
		}
		if x := e[1].Exhausted; x.Waiting < 20 || x.GaveUp || len(x.Holders) != 1 || x.Holders[0].Handles.Kind != tracker.KindTx {
			t.Errorf("summary %+v", x)
		}
		if x := e[3].Exhausted; x.For < 190*time.Second || x.For > 201*time.Second || !e[3].Since.Equal(e[0].At) {
			t.Errorf("ended with %+v", x)
		}
		w.done(t)
	})
}

func TestExhaustedAndGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		w.SetMaxOpenConns(1)
		conn := must[*sql.Conn](t)(w.Conn(ctx))
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		w.wait(ctx, 2).Wait()
		pass(5 * time.Second)
		if x := w.nowExhausted(t); x == nil || x.Waiting != 2 || !x.GaveUp || !strings.HasSuffix(x.Reason, ", of which some have given up") {
			t.Errorf("%+v", x)
		}
		w.expectExhaustions(t, tracker.EventExhausted)
		w.Close()
		pass(10 * time.Second)
		w.expectExhaustions(t, tracker.EventExhausted, tracker.EventExhaustedEnd)
		conn.Close()
		w.done(t)
	})
}

//go:noinline
func hold(t *testing.T, db *sql.DB, line int) *sql.Rows {
	var rows [7]*sql.Rows
	switch line { // a line for each
	case 0:
		rows[0] = must[*sql.Rows](t)(db.Query("rows 9"))
	case 1:
		rows[1] = must[*sql.Rows](t)(db.Query("rows 9"))
	case 2:
		rows[2] = must[*sql.Rows](t)(db.Query("rows 9"))
	case 3:
		rows[3] = must[*sql.Rows](t)(db.Query("rows 9"))
	case 4:
		rows[4] = must[*sql.Rows](t)(db.Query("rows 9"))
	case 5:
		rows[5] = must[*sql.Rows](t)(db.Query("rows 9"))
	case 6:
		rows[6] = must[*sql.Rows](t)(db.Query("rows 9"))
	}
	return rows[line]
}

func TestExhaustedHoldersAreFew(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		w.SetMaxOpenConns(9)
		var held []*sql.Rows
		for _, line := range []int{3, 0, 0, 1, 2, 4, 5, 6, 6} {
			held = append(held, hold(t, w.DB, line))
			pass(time.Millisecond)
		}
		ctx, cancel := context.WithCancel(ctx)
		waiters := w.wait(ctx, 1)
		pass(10 * time.Second)
		x := w.nowExhausted(t)
		if x == nil || len(x.Holders) != 5 || x.Others != 3 || x.Holders[1].Handles.Count != 2 {
			t.Fatalf("%+v", x)
		}
		if !slices.IsSortedFunc(x.Holders, func(a, b tracker.Holder) int { return int(b.Handles.Age - a.Handles.Age) }) {
			t.Errorf("not the oldest first: %v", x.Holders)
		}
		cancel()
		waiters.Wait()
		for _, rows := range held {
			rows.Close()
		}
		pass(20 * time.Second)
		w.done(t)
	})
}

// TestExhaustedAtOnce: a query inside the rows of another, and nothing else ever
// happens.
func TestExhaustedAtOnce(t *testing.T) {
	w := watch(t, tracker.WithKindThreshold(tracker.KindRows, time.Second)) // sweeps four times a second
	w.SetMaxOpenConns(1)
	w.Ping() // the connection is there
	rows := must[*sql.Rows](t)(w.Query("rows 9"))
	ctx, cancel := context.WithCancel(ctx)
	waiter := w.wait(ctx, 1)
	eventually(t, "the pool is exhausted", func() bool { return w.nowExhausted(t) != nil })
	if x := w.nowExhausted(t); x.Waiting != 1 || x.For < time.Second {
		t.Errorf("%+v", x)
	}
	cancel()
	waiter.Wait()
	rows.Close()
	w.done(t)
}

// TestExhaustedForDays: sweeps of a bubble come to an end though the pool is
// exhausted, as somebody may wait for the bubble to.
func TestExhaustedForDays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t, tracker.WithKindThreshold(tracker.KindRows, 0))
		w.SetMaxOpenConns(1)
		rows := must[*sql.Rows](t)(w.Query("rows 9"))
		ctx, cancel := context.WithCancel(ctx)
		waiters := w.wait(ctx, 1)
		pass(48 * time.Hour)
		told := len(w.exhaustions())
		pass(48 * time.Hour)
		if n := len(w.exhaustions()); n != told || n < 24 {
			t.Errorf("%d events in two days, then %d", told, n)
		}
		cancel()
		waiters.Wait()
		rows.Close()
		pass(20 * time.Second)
		w.done(t)
	})
}
