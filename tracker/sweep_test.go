package tracker_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func TestOverdueAndRecoveredOnceEach(t *testing.T) {
	for _, tt := range []struct {
		kind string
		open func(t *testing.T, db *sql.DB) (giveBack func() error)
	}{
		{"rows", func(t *testing.T, db *sql.DB) func() error { return must[*sql.Rows](t)(db.Query("rows 9")).Close }},
		{"row", func(t *testing.T, db *sql.DB) func() error {
			row := db.QueryRow("rows 1")
			return func() error { var n int; return row.Scan(&n) }
		}},
		{"tx", func(t *testing.T, db *sql.DB) func() error { return must[*sql.Tx](t)(db.Begin()).Rollback }},
		{"conn", func(t *testing.T, db *sql.DB) func() error { return must[*sql.Conn](t)(db.Conn(ctx)).Close }},
		{"rows", func(t *testing.T, db *sql.DB) func() error {
			stmt := must[*sql.Stmt](t)(db.Prepare("rows 9"))
			rows := must[*sql.Rows](t)(stmt.Query())
			return func() error { return errors.Join(rows.Close(), stmt.Close()) }
		}},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watch(t)
				giveBack := tt.open(t, w.DB)
				pass(tracker.DefaultThreshold - time.Second)
				w.events.expect(t)
				pass(12 * time.Second) // two sweeps more
				w.events.expect(t, "overdue "+tt.kind+"×1")
				pass(40 * time.Second) // short of the first summary
				w.events.expect(t, "overdue "+tt.kind+"×1")
				f := w.tracker.Snapshot().Findings
				if len(f) != 1 || f[0].State != tracker.StateOverdue || f[0].Kind.String() != tt.kind {
					t.Fatalf("findings %v", f)
				}
				if !strings.Contains(f[0].Site.Function, "TestOverdueAndRecovered") || !strings.HasPrefix(f[0].Reason, "idle for ") {
					t.Errorf("site %v, reason %q", f[0].Site, f[0].Reason)
				}
				if err := giveBack(); err != nil {
					t.Error(err)
				}
				pass(10 * time.Second)
				w.events.expect(t, "overdue "+tt.kind+"×1", "recovered "+tt.kind+"×1")
				if e := w.tracker.Snapshot().Ended; len(e) != 1 || e[0].Held.Round(time.Second) != 81*time.Second {
					t.Errorf("ended %+v", e)
				}
				if n := w.tracker.Snapshot().Totals; n != (tracker.Totals{Reported: 1, Overdue: 1, Recovered: 1}) {
					t.Errorf("totals %+v", n)
				}
				w.done(t)
			})
		})
	}
}

// A sweep that meets a handle in the call that gives it back, which is over before
// the sweep is, has another one come: nothing else would tell of the end.
func TestGivenBackDuringASweep(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		asked, over := make(chan struct{}), make(chan struct{})
		w := watchConnector(t, &nopdriver.Connector{Before: func(_ context.Context, call, _ string) error {
			if call == "rollback" {
				<-asked
			}
			return nil
		}})
		tx := must[*sql.Tx](t)(w.Begin())
		pass(tracker.DefaultThreshold + 12*time.Second)
		w.events.expect(t, "overdue tx×1")
		// What database/sql counts is asked for after the look at the handles, and
		// before their ends are taken.
		w.tracker.Recorder().Pools()[0].SetStats(sync.OnceValues(func() (sql.DBStats, bool) {
			close(asked)
			<-over
			return sql.DBStats{}, true
		}))
		go func() {
			defer close(over)
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
		}()
		pass(time.Minute)
		w.events.expect(t, "overdue tx×1", "recovered tx×1")
		w.done(t)
	})
}

func TestSummariesAtDoublingIntervals(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		tx := must[*sql.Tx](t)(w.Begin())
		pass(4 * time.Hour)
		tx.Rollback()
		pass(10 * time.Second)
		var gaps []time.Duration
		for i, e := range w.events.events {
			if want := tracker.EventOngoing; i > 0 && i < len(w.events.events)-1 && e.Kind != want {
				t.Errorf("event %d is %v", i, e.Kind)
			}
			if i > 0 {
				gaps = append(gaps, e.At.Sub(w.events.events[i-1].At).Truncate(time.Minute)/time.Minute)
			}
		}
		if want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 55}; !slices.Equal(gaps, want) {
			t.Errorf("minutes between events: %d, want %d", gaps, want)
		}
		w.done(t)
	})
}

func TestOneSiteIsOneFinding(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		var all []*sql.Rows
		for range 5 {
			all = append(all, must[*sql.Rows](t)(w.Query("rows 9")))
		}
		tx := must[*sql.Tx](t)(w.Begin())
		must[*sql.Rows](t)(tx.Query("rows 9")).Next() // inside the tx: no finding of its own
		pass(40 * time.Second)
		w.events.expect(t, "overdue rows×5", "overdue tx×1")
		f := w.tracker.Snapshot().Findings
		if len(f) != 2 || f[0].Count != 5 || len(f[1].Children) != 1 || f[1].Children[0].Kind != tracker.KindRows {
			t.Errorf("findings %v", f)
		}
		for _, r := range all {
			r.Close()
		}
		tx.Rollback()
		w.done(t)
	})
}

func TestActivityIsNoLeak(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		rows := must[*sql.Rows](t)(w.Query("rows 100"))
		tx := must[*sql.Tx](t)(w.Begin())
		for rows.Next() { // ten times the threshold
			must[sql.Result](t)(tx.Exec("update"))
			pass(3 * time.Second)
		}
		tx.Commit()
		w.events.expect(t)
		w.done(t)
	})
}

func TestMaxAgeIsForTheBusy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t, tracker.WithMaxAge(time.Minute))
		rows := must[*sql.Rows](t)(w.Query("rows 30"))
		for rows.Next() {
			pass(3 * time.Second)
		}
		pass(10 * time.Second)
		w.events.expect(t, "overdue rows×1", "recovered rows×1")
		w.done(t)
	})
}

func TestDriverCallInProgressIsNoLeak(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		release := make(chan struct{})
		w := watchConnector(t, &nopdriver.Connector{Before: func(_ context.Context, call, query string) error {
			if call == "exec" || query == "slow" {
				<-release
			}
			return nil
		}})
		var calls sync.WaitGroup
		calls.Go(func() { w.Exec("update") })
		calls.Go(func() {
			tx, err := w.Begin()
			if err != nil {
				t.Error(err)
				return
			}
			defer tx.Rollback()
			tx.Exec("update")
		})
		pass(10 * time.Minute)
		w.events.expect(t)
		s := w.tracker.Snapshot()
		if len(s.Findings) != 0 || len(s.Open) != 3 {
			t.Fatalf("findings %v, open %v", s.Findings, s.Open)
		}
		for _, f := range s.Open {
			if f.Kind != tracker.KindDB && (f.Busy != "exec" || !strings.HasPrefix(f.Reason, "in a driver call (exec) for at least 9m")) {
				t.Errorf("%v: busy %q, reason %q", f.Kind, f.Busy, f.Reason)
			}
		}
		close(release)
		calls.Wait()
		w.done(t)
	})
}

func TestTermsOfAContext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		listen := must[*sql.Conn](t)(w.Conn(tracker.LongLived(ctx, "listens for jobs")))
		patient := must[*sql.Rows](t)(w.QueryContext(tracker.WithThreshold(ctx, time.Hour), "rows 9"))
		never := must[*sql.Tx](t)(w.BeginTx(tracker.WithThreshold(ctx, 0), nil))
		hasty := must[*sql.Rows](t)(w.QueryContext(tracker.WithThreshold(ctx, 10*time.Second), "rows 9"))
		lock := must[*sql.Conn](t)(w.Conn(ctx))
		lockTx := must[*sql.Tx](t)(lock.BeginTx(tracker.LongLived(ctx, "holds the lock"), nil))
		pass(20 * time.Second)
		w.events.expect(t, "overdue rows×1")
		pass(30 * time.Minute)
		if f := w.tracker.Snapshot().Findings; len(f) != 1 {
			t.Errorf("findings %v", f)
		}
		reasons := 0
		for _, f := range w.tracker.Snapshot().Open {
			if f.LongLived != "" {
				reasons++
			}
		}
		if reasons != 2 {
			t.Errorf("%d of 2 long-lived handles are listed with their reason", reasons)
		}
		w.tracker.AssertNoLeaks(t, tracker.IgnoreSite(`TestTermsOfAContext`))
		hasty.Close()
		pass(time.Hour)
		if f := w.tracker.Snapshot().Findings; len(f) != 1 || f[0].Kind != tracker.KindRows {
			t.Errorf("after the hour: %v", f)
		}
		patient.Close()
		never.Rollback()
		lockTx.Rollback()
		lock.Close()
		listen.Close()
		w.done(t)
	})
}

func TestThresholdsAtRunTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t, tracker.WithKindThreshold(tracker.KindTx, 0))
		tx := must[*sql.Tx](t)(w.Begin())
		pass(time.Hour)
		w.events.expect(t)
		if err := w.tracker.Configure(tracker.WithKindThreshold(tracker.KindTx, time.Minute)); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		w.events.expect(t, "overdue tx×1")
		tx.Rollback()
		w.done(t)
	})
}

func TestPanickingObserverHarmsNobody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t, tracker.WithObserver(tracker.ObserverFunc(func(tracker.Event) { panic("observer") })))
		tx := must[*sql.Tx](t)(w.Begin())
		pass(40 * time.Second)
		w.events.expect(t, "overdue tx×1") // told after the one that panics
		tx.Rollback()
		pass(10 * time.Second)
		w.events.expect(t, "overdue tx×1", "recovered tx×1")
		w.done(t)
	})
}
