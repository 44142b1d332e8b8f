package report_test

import (
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// A line is one finding, whoever called: a filter finds it by each of its callers.
func TestFilterByAnyCaller(t *testing.T) {
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr))
	defer db.Close()
	s := shop{query: func() {
		rows, err := db.Query("rows 1")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { rows.Close() })
	}}
	s.checkout()
	s.export()
	for text, want := range map[string]int{"checkout": 1, "EXPORT": 1, "restock": 0} {
		got := 0
		for _, f := range (report.Filter{Function: text}).Apply(tr.Snapshot()).Open {
			if f.Kind == tracker.KindRows {
				got += f.Count / 2
			}
		}
		if got != want {
			t.Errorf("%q finds %d lines, want %d", text, got, want)
		}
	}
}

type shop struct{ query func() }

//go:noinline
func (s shop) checkout() { s.query() }

//go:noinline
func (s shop) export() { s.query() }
