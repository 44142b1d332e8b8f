package tracker_test

import (
	"database/sql"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestHeldTimes: what a line usually holds is told next to the threshold of
// what it still holds.
func TestHeldTimes(t *testing.T) {
	opens := map[string]func(t *testing.T, db *sql.DB) (giveBack func() error){
		"rows": func(t *testing.T, db *sql.DB) func() error { return must[*sql.Rows](t)(db.Query("rows 9")).Close },
		"tx":   func(t *testing.T, db *sql.DB) func() error { return must[*sql.Tx](t)(db.Begin()).Commit },
		"conn": func(t *testing.T, db *sql.DB) func() error { return must[*sql.Conn](t)(db.Conn(ctx)).Close },
		"stmt": func(t *testing.T, db *sql.DB) func() error { return must[*sql.Stmt](t)(db.Prepare("rows 9")).Close },
		"rows of a transaction": func(t *testing.T, db *sql.DB) func() error {
			tx := must[*sql.Tx](t)(db.Begin())
			rows := must[*sql.Rows](t)(tx.Query("rows 9"))
			return func() error { rows.Close(); return tx.Rollback() }
		},
	}
	for _, tt := range []struct {
		name, kind string
		times      int
		held, slow time.Duration // one in two hundred is slow
		threshold  time.Duration
		want       string
	}{
		{"nearly none", "rows", 20, time.Millisecond, 0, 30 * time.Second, ""},
		{"some", "rows", 21, time.Millisecond, 0, 30 * time.Second,
			"90 % of rows from this line are given back within 1ms; the threshold is 30s"},
		{"many", "tx", 200, 40 * time.Millisecond, 20 * time.Second, 30 * time.Second,
			"99 % of transactions from this line are given back within 49ms; the threshold is 30s, 1s would do: tracker.WithSiteThreshold"},
		{"more than are counted one by one", "conn", 3000, 40 * time.Millisecond, 0, 30 * time.Second,
			"99.9 % of connections from this line are given back within 49ms; the threshold is 30s, 1s would do: tracker.WithSiteThreshold"},
		{"a line that takes its time", "rows", 101, 5 * time.Second, 0, 30 * time.Second,
			"99 % of rows from this line are given back within 6.2s; the threshold is 30s"},
		{"a threshold that is too short", "rows", 101, 12 * time.Second, 0, 10 * time.Second,
			"99 % of rows from this line are given back within 12s; the threshold is 10s, which raises false alarms if they are idle for as long: tracker.WithSiteThreshold can make it 2m"},
		{"no threshold", "tx", 101, time.Millisecond, 0, 0,
			"99 % of transactions from this line are given back within 1ms"},
		{"inside of another", "rows of a transaction", 101, time.Millisecond, 0, 30 * time.Second,
			"99 % of transactions from this line are given back within 1ms; the threshold is 30s, 1s would do: tracker.WithSiteThreshold"},
		{"statements, which have no threshold", "stmt", 101, time.Millisecond, 0, 30 * time.Second, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watch(t,
					tracker.WithKindThreshold(tracker.KindRows, tt.threshold),
					tracker.WithKindThreshold(tracker.KindTx, tt.threshold))
				var last func() error
				for i := range tt.times + 1 {
					giveBack := opens[tt.kind](t, w.DB)
					switch {
					case i == tt.times:
						last = giveBack
						continue
					case i%200 == 99 && tt.slow > 0:
						time.Sleep(tt.slow)
					default:
						time.Sleep(tt.held)
					}
					if err := giveBack(); err != nil {
						t.Fatal(err)
					}
				}
				found := false
				for _, f := range w.tracker.Snapshot().Open {
					if f.Kind == tracker.KindDB {
						continue
					}
					found = true
					if f.Usual != tt.want {
						t.Errorf("usual  %q\nwant   %q", f.Usual, tt.want)
					}
					if tt.want != "" && !strings.Contains(f.String(), "  usual   "+tt.want+"\n") {
						t.Errorf("the text doesn't say so:\n%v", f)
					}
				}
				if !found {
					t.Error("nothing is open")
				}
				last()
				w.done(t)
			})
		})
	}
}

func TestWithin(t *testing.T) {
	h := tracker.HeldTimes{Count: 100, Buckets: []tracker.HeldBucket{
		{time.Millisecond, 50}, {time.Second, 49}, {math.MaxInt64, 1},
	}}
	for _, tt := range []struct {
		share float64
		want  time.Duration
	}{{0, time.Millisecond}, {0.5, time.Millisecond}, {0.51, time.Second}, {0.99, time.Second}, {1, math.MaxInt64}} {
		if got := h.Within(tt.share); got != tt.want {
			t.Errorf("%v are given back within %v, want %v", tt.share, got, tt.want)
		}
	}
	if got := (tracker.HeldTimes{}).Within(0.9); got != 0 {
		t.Errorf("of none, some are given back within %v", got)
	}
}

func TestUsualBeyondMeasure(t *testing.T) {
	days := tracker.HeldTimes{Count: 1000, Buckets: []tracker.HeldBucket{{math.MaxInt64, 1000}}}
	if got := tracker.Usual(tracker.KindTx, days, time.Minute); got != "" {
		t.Errorf("of what is held for days: %q", got)
	}
}
