package tracker_test

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// The sites of these tests: two jobs, and a helper that one of them begins its
// transaction with.

func nightlyRows(t *testing.T, ctx context.Context, w *watched) *sql.Rows {
	return must[*sql.Rows](t)(w.QueryContext(ctx, "rows 9"))
}

func nightlyRowsIn(t *testing.T, tx *sql.Tx) *sql.Rows {
	return must[*sql.Rows](t)(tx.Query("rows 9"))
}

func weeklyRows(t *testing.T, ctx context.Context, w *watched) *sql.Rows {
	return must[*sql.Rows](t)(w.QueryContext(ctx, "rows 9"))
}

func helperTx(t *testing.T, ctx context.Context, w *watched) *sql.Tx {
	return must[*sql.Tx](t)(w.BeginTx(ctx, nil))
}

type giveBack func() error

func TestSiteThreshold(t *testing.T) {
	site := tracker.WithSiteThreshold
	nightly := func(t *testing.T, w *watched) giveBack { return nightlyRows(t, ctx, w).Close }
	nightlyWith := func(ctx context.Context) func(*testing.T, *watched) giveBack {
		return func(t *testing.T, w *watched) giveBack { return nightlyRows(t, ctx, w).Close }
	}
	inTx := func(ctx context.Context) func(*testing.T, *watched) giveBack {
		return func(t *testing.T, w *watched) giveBack {
			tx := helperTx(t, ctx, w)
			rows := nightlyRowsIn(t, tx)
			return func() error { return errors.Join(rows.Close(), tx.Rollback()) }
		}
	}
	for _, tt := range []struct {
		name   string
		opts   []tracker.Option
		open   func(t *testing.T, w *watched) giveBack
		after  time.Duration // it is overdue; 0: never
		kind   string        // of the finding
		reason string        // how that of the finding ends
	}{
		{"sooner than the kind", []tracker.Option{site(`\.nightly`, 5*time.Second)}, nightly,
			5 * time.Second, "rows", `, threshold 5s of pattern \.nightly`},
		{"later than the kind", []tracker.Option{site(`\.nightly`, 10*time.Minute)}, nightly,
			10 * time.Minute, "rows", `, threshold 10m of pattern \.nightly`},
		{"never", []tracker.Option{site(`\.nightly`, 0)}, nightly, 0, "", ""},
		{"of a kind that is off", []tracker.Option{tracker.WithKindThreshold(tracker.KindRows, 0), site(`\.nightly`, time.Minute)}, nightly,
			time.Minute, "rows", `, threshold 1m of pattern \.nightly`},
		{"at another site", []tracker.Option{site(`\.nightly`, 10*time.Minute), site(`\.never`, 0)},
			func(t *testing.T, w *watched) giveBack { return weeklyRows(t, ctx, w).Close },
			tracker.DefaultThreshold, "rows", ", threshold 30s"},
		{"called by a site that matches", []tracker.Option{site(`TestSiteThreshold`, 0)}, nightly,
			tracker.DefaultThreshold, "rows", ", threshold 30s"},
		{"by package, file and line", []tracker.Option{site(`^github\.com/dbleaks-go/dbleaks/tracker_test\.nightlyRows \S*/sitethreshold_test\.go:\d+$`, 0)}, nightly, 0, "", ""},
		{"a row", []tracker.Option{site(`TestSiteThreshold`, 5*time.Second)}, func(t *testing.T, w *watched) giveBack {
			row := w.QueryRow("rows 1")
			return func() error { var n int; return row.Scan(&n) }
		}, 5 * time.Second, "row", ` of pattern TestSiteThreshold`},
		{"a transaction", []tracker.Option{site(`\.helperTx`, 10*time.Minute)}, func(t *testing.T, w *watched) giveBack {
			return helperTx(t, ctx, w).Rollback
		}, 10 * time.Minute, "tx", `, threshold 10m of pattern \.helperTx`},
		{"a connection", []tracker.Option{site(`TestSiteThreshold`, 0)}, func(t *testing.T, w *watched) giveBack {
			return must[*sql.Conn](t)(w.Conn(ctx)).Close
		}, 0, "", ""},
		{"a statement is never overdue by age", []tracker.Option{site(`TestSiteThreshold`, time.Second)}, func(t *testing.T, w *watched) giveBack {
			return must[*sql.Stmt](t)(w.Prepare("select 1")).Close
		}, 0, "", ""},
		{"the last of two", []tracker.Option{site(`nightly`, 0), site(`Rows`, time.Minute)}, nightly,
			time.Minute, "rows", "of pattern Rows"},
		{"the last of two, which says never", []tracker.Option{site(`Rows`, time.Minute), site(`nightly`, 0)}, nightly, 0, "", ""},
		{"a pattern that is given again is the last", []tracker.Option{site(`nightly`, 0), site(`Rows`, 0), site(`nightly`, time.Minute)}, nightly,
			time.Minute, "rows", "of pattern nightly"},
		{"a library's frame is no site", []tracker.Option{site(`nightly`, 0), tracker.WithLibraries("github.com/dbleaks-go/dbleaks/tracker_test")}, nightly,
			tracker.DefaultThreshold, "rows", ", threshold 30s"},
		{"the context goes first", []tracker.Option{site(`nightly`, 0)}, nightlyWith(tracker.WithThreshold(ctx, time.Minute)),
			time.Minute, "rows", ", threshold 1m of the context"},
		{"the context says never", []tracker.Option{site(`nightly`, time.Second)}, nightlyWith(tracker.WithThreshold(ctx, 0)), 0, "", ""},
		{"long-lived", []tracker.Option{site(`nightly`, time.Second)}, nightlyWith(tracker.LongLived(ctx, "listens")), 0, "", ""},
		{"what holds it waits for as long", []tracker.Option{site(`nightly`, 10*time.Minute)}, inTx(ctx),
			10 * time.Minute, "tx", `, threshold 10m of pattern nightly`},
		{"what holds it waits for ever", []tracker.Option{site(`nightly`, 0)}, inTx(ctx), 0, "", ""},
		{"what holds it doesn't wait for less", []tracker.Option{site(`nightly`, 5*time.Second)}, inTx(ctx),
			tracker.DefaultThreshold, "tx", ", threshold 30s"},
		{"what holds it has a site of its own", []tracker.Option{site(`helperTx`, time.Minute), site(`nightly`, 2*time.Minute)}, inTx(ctx),
			2 * time.Minute, "tx", ", threshold 2m of pattern nightly"},
		{"what holds it may wait for ever", []tracker.Option{site(`helperTx`, 0)}, inTx(ctx),
			tracker.DefaultThreshold, "rows", ", threshold 30s"},
		{"what holds it may wait for ever, it for some time", []tracker.Option{site(`helperTx`, 0), site(`nightly`, 10*time.Minute)}, inTx(ctx),
			10 * time.Minute, "rows", ", threshold 10m of pattern nightly"},
		{"what holds it has a context of its own", []tracker.Option{site(`nightly`, 0)}, inTx(tracker.WithThreshold(ctx, time.Minute)),
			time.Minute, "tx", ", threshold 1m of the context"},
		{"the maximum age stays", []tracker.Option{site(`nightly`, 0), tracker.WithMaxAge(time.Minute)}, nightly,
			time.Minute, "rows", "longer than the maximum age"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watch(t, tt.opts...)
				giveBack := tt.open(t, w)
				pass(max(tt.after-time.Second, 0))
				if tt.after == 0 {
					pass(3 * time.Hour)
				}
				w.events.expect(t)
				if tt.after > 0 {
					pass(12 * time.Second) // two sweeps more
					w.events.expect(t, "overdue "+tt.kind+"×1")
					f := w.tracker.Snapshot().Findings
					if len(f) != 1 || !strings.HasSuffix(f[0].Reason, tt.reason) {
						t.Errorf("findings %v, want the reason %q", f, tt.reason)
					}
				}
				if err := giveBack(); err != nil {
					t.Error(err)
				}
				w.done(t)
			})
		})
	}
}

func TestSiteThresholdsAtRunTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t, tracker.WithSiteThreshold(`nightly`, 0), tracker.WithSiteThreshold(`weekly`, time.Hour))
		night, week := nightlyRows(t, ctx, w), weeklyRows(t, ctx, w)
		pass(30 * time.Minute)
		w.events.expect(t)
		if err := w.tracker.Configure(tracker.WithSiteThreshold(`nightly`, 20*time.Minute)); err != nil {
			t.Fatal(err)
		}
		want := []tracker.SiteThreshold{{Pattern: "weekly", Threshold: time.Hour}, {Pattern: "nightly", Threshold: 20 * time.Minute}}
		if got := w.tracker.Snapshot().SiteThresholds; !reflect.DeepEqual(got, want) {
			t.Errorf("in force: %v, want %v", got, want)
		}
		pass(10 * time.Second)
		w.events.expect(t, "overdue rows×1")
		night.Close()
		week.Close()
		w.done(t)
	})
}

// TestShortSiteThresholdIsSweptInTime has no kind with a threshold.
func TestShortSiteThresholdIsSweptInTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t, tracker.WithSiteThreshold(`nightly`, time.Second),
			tracker.WithKindThreshold(tracker.KindConn, 0), tracker.WithKindThreshold(tracker.KindTx, 0),
			tracker.WithKindThreshold(tracker.KindRows, 0))
		rows := nightlyRows(t, ctx, w)
		pass(1600 * time.Millisecond)
		w.events.expect(t, "overdue rows×1")
		rows.Close()
		w.done(t)
	})
}

func TestWrongSiteThresholds(t *testing.T) {
	for _, tt := range []struct {
		name string
		opt  tracker.Option
		want string
	}{
		{"no pattern", tracker.WithSiteThreshold("(", time.Second), `WithSiteThreshold("(")`},
		{"empty", tracker.WithSiteThreshold("", time.Second), "WithSiteThreshold: an empty pattern"},
		{"negative", tracker.WithSiteThreshold("jobs", -time.Second), `WithSiteThreshold("jobs", -1s)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tracker.New(tt.opt); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New: %v, want %q in it", err, tt.want)
			}
			tr := must[*tracker.Tracker](t)(tracker.New(tracker.WithSiteThreshold("kept", time.Minute)))
			err := tr.Configure(tracker.WithSiteThreshold("kept", time.Hour), tt.opt)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Configure: %v, want %q in it", err, tt.want)
			}
			want := []tracker.SiteThreshold{{Pattern: "kept", Threshold: time.Minute}}
			if got := tr.Snapshot().SiteThresholds; !reflect.DeepEqual(got, want) {
				t.Errorf("in force: %v, want %v", got, want)
			}
		})
	}
}
