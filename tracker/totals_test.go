package tracker_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestTotals: what is proven without ever being overdue is reported, too, and
// what was overdue before it was proven is reported once.
func TestTotals(t *testing.T) {
	for name, tt := range map[string]struct {
		threshold time.Duration
		want      tracker.Totals
	}{
		"proven at once":   {0, tracker.Totals{Reported: 1, Leaked: 1}},
		"proven when late": {time.Millisecond, tracker.Totals{Reported: 1, Overdue: 1, Leaked: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, tracker.WithKindThreshold(tracker.KindConn, time.Second), tracker.WithKindThreshold(tracker.KindRows, tt.threshold))
			rows := must[*sql.Rows](t)(w.Query("rows 9"))
			if tt.want.Overdue > 0 {
				eventually(t, "the rows are overdue", func() bool { return w.tracker.Snapshot().Totals.Overdue == 1 })
			}
			rows.Columns() // the last that is done with them
			eventually(t, "the rows are leaked", func() bool { return w.tracker.Snapshot().Totals.Leaked == 1 })
			if n := w.tracker.Snapshot().Totals; n != tt.want {
				t.Errorf("%+v, want %+v", n, tt.want)
			}
			w.Close()
		})
	}
}
