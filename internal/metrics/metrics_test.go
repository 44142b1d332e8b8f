package metrics

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/dbleaks-go/dbleaks/internal/openmetrics"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// numbers are the samples of a family by their labels.
func numbers(t *testing.T, e *Exporter, s tracker.Snapshot, name string) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, f := range e.Families(func() tracker.Snapshot { return s }, reporttest.Process) {
		if f.Name != name {
			continue
		}
		for _, s := range f.Samples {
			key := strings.Join(s.Values, " ")
			if _, twice := out[key]; twice {
				t.Errorf("%s has %s twice", name, key)
			}
			out[key] = s.Number
		}
	}
	return out
}

func wantNumbers(t *testing.T, what string, got, want map[string]float64) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestSampleShop(t *testing.T) {
	const shop = " example.com/shop/"
	find := "orders rows orders.go:42" + shop + "store.(*Orders).Find"
	tx := "orders tx checkout.go:118" + shop + "web.(*Server).checkout"
	listen := "orders conn listen.go:20" + shop + "jobs.(*Listener).Run"
	export := "archive rows export.go:77" + shop + "jobs.Export"
	row := "orders row orders.go:90" + shop + "store.(*Orders).Count[...]"
	s := reporttest.Snapshot()
	s.SiteTotals = []tracker.SiteTotals{{
		Pool: "orders", Kind: tracker.KindRows, Site: s.Findings[0].Site,
		Totals: tracker.Totals{Reported: 5, Leaked: 3, Recovered: 1},
	}}
	const rest = "other other other other"
	for name, want := range map[string]map[string]float64{
		"dbleaks_open_handles":    {find: 4, tx: 1, listen: 1, export: 1, row: 1},
		"dbleaks_overdue_handles": {find: 1, tx: 1, listen: 0, export: 0, row: 0},
		"dbleaks_leaked_handles":  {find: 3, tx: 0, listen: 0, export: 0, row: 0},
		// What is held on purpose has no age to worry about.
		"dbleaks_oldest_open_age_seconds": {find: 125, tx: 90, export: 400, row: 0.02},
		"dbleaks_reported":                {find: 5, rest: 6},
		"dbleaks_leaks":                   {find: 3, rest: 0},
		"dbleaks_recovered":               {find: 1, rest: 3},
		"db_client_connection_count":      {"orders used": 10, "orders idle": 0, "archive used": 1, "archive idle": 0},
		"db_client_connection_max":        {"orders": 10},
		"dbleaks_pools":                   {"orders": 1, "archive": 1},
		"dbleaks_exhausted_pools":         {"orders": 1, "archive": 0},
		"dbleaks_waits":                   {"orders": 1234},
		"dbleaks_wait_seconds":            {"orders": 75},
		"dbleaks_beyond_limits":           {"stacks": 2, "statements": 1},
		"dbleaks_build":                   {"go1.26.8 0123456789ab+dirty": 1},
	} {
		wantNumbers(t, name, numbers(t, &Exporter{}, s, name), want)
	}
}

// crowd has n lines with open handles, the first of which has leaked one, in
// the order that a tracker sorts them.
func crowd(n int) tracker.Snapshot {
	var s tracker.Snapshot
	for i := range n {
		f := tracker.Finding{
			ID: fmt.Sprintf("%016x", uint64(i)*0x9e3779b97f4a7c15), Kind: tracker.KindRows, Pool: "orders",
			Site: tracker.Frame{Function: fmt.Sprint("shop.f", i), File: "f.go", Line: i}, Count: 1 + i%3, Age: time.Duration(i) * time.Second,
		}
		if i == 0 {
			f.State, f.Leaked = tracker.StateLeaked, 1
			s.Findings = append(s.Findings, f)
			continue
		}
		s.Open = append(s.Open, f)
	}
	return s
}

func TestSitesAreBounded(t *testing.T) {
	s := crowd(500)
	got := numbers(t, &Exporter{}, s, "dbleaks_open_handles")
	var sum, want float64
	for _, n := range got {
		sum += n
	}
	for _, f := range slices.Concat(s.Findings, s.Open) {
		want += float64(f.Count)
	}
	if len(got) != maxSites+1 || sum != want {
		t.Errorf("%d samples of %v handles, want %d of %v", len(got), sum, maxSites+1, want)
	}
	if _, ok := got["orders rows f.go:0 shop.f0"]; !ok {
		t.Error("the leak is not told apart")
	}
	if age := numbers(t, &Exporter{}, s, "dbleaks_oldest_open_age_seconds")["orders rows other other"]; age < 490 {
		t.Errorf("the oldest of the others is open for %vs", age)
	}
	// The same lines in another order, with a handle more or less, give the
	// same samples.
	slices.Reverse(s.Open)
	for i := range s.Open {
		if s.Open[i].Count != 1 {
			s.Open[i].Count ^= 1
		}
	}
	for key := range numbers(t, &Exporter{}, s, "dbleaks_open_handles") {
		if _, ok := got[key]; !ok {
			t.Errorf("%s came into the samples", key)
		}
	}
}

func TestPoolsAreBounded(t *testing.T) {
	var e Exporter
	pools := func(from, n int) (s tracker.Snapshot) {
		for i := range n {
			s.Pools = append(s.Pools, tracker.Pool{
				ID: uint64(from + i), Name: fmt.Sprint("tenant", from+i), InUse: 1, Stats: &sql.DBStats{WaitCount: 1},
			})
		}
		return s
	}
	if got := numbers(t, &e, pools(0, 60), "dbleaks_pools"); len(got) != maxPools+1 || got[other] != 10 {
		t.Errorf("%d names, %v others", len(got), got[other])
	}
	// Names that come later don't take the place of others, nor lower a count.
	got := numbers(t, &e, pools(40, 60), "dbleaks_waits")
	if len(got) != maxPools+1 || got[other] != 50 || got["tenant0"] != 1 || got["tenant49"] != 1 {
		t.Errorf("waits %v", got)
	}
}

// TestWaitsNeverGoDown: pools of one name come and go.
func TestWaitsNeverGoDown(t *testing.T) {
	var e Exporter
	pool := func(id uint64, waits int64) tracker.Pool {
		return tracker.Pool{ID: id, Name: "orders", Stats: &sql.DBStats{WaitCount: waits, WaitDuration: time.Duration(waits) * time.Second}}
	}
	unknown := tracker.Pool{ID: 1, Name: "orders"}
	for i, tt := range []struct {
		pools []tracker.Pool
		want  float64
	}{
		{[]tracker.Pool{pool(1, 5)}, 5},
		{[]tracker.Pool{pool(1, 7), pool(2, 3)}, 10},
		{[]tracker.Pool{pool(2, 3)}, 10},
		{nil, 10},
		{[]tracker.Pool{pool(3, 1)}, 11},
		{[]tracker.Pool{pool(1, 7)}, 18}, // not the same, unless an id came back
		{[]tracker.Pool{unknown}, 18},
		{[]tracker.Pool{pool(1, 8)}, 19},
	} {
		for _, name := range []string{"dbleaks_waits", "dbleaks_wait_seconds"} {
			if got := numbers(t, &e, tracker.Snapshot{Pools: tt.pools}, name)["orders"]; got != tt.want {
				t.Errorf("step %d: %s %v, want %v", i, name, got, tt.want)
			}
		}
	}
}

func TestLabelsAreShortAndPrintable(t *testing.T) {
	s := reporttest.Suffixed(reporttest.Evil + strings.Repeat("ü", 1000))
	var e Exporter
	for _, f := range e.Families(func() tracker.Snapshot { return s }, reporttest.Process) {
		seen := map[string]bool{}
		for _, s := range f.Samples {
			for _, v := range s.Values {
				if len(v) > maxValue+len("…") || strings.ContainsAny(v, "\n\x00\x1b") || !utf8.ValidString(v) {
					t.Errorf("%s: %q", f.Name, v)
				}
			}
			key := strings.Join(s.Values, "\x00")
			if seen[key] {
				t.Errorf("%s has %q twice", f.Name, s.Values)
			}
			seen[key] = true
		}
		if f.Type == openmetrics.Counter && strings.HasSuffix(f.Name, "_total") {
			t.Errorf("%s would be %s_total", f.Name, f.Name)
		}
	}
}
