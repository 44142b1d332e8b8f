package report_test

import (
	"slices"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func TestWithOpeners(t *testing.T) {
	s := reporttest.Snapshot()
	openers, _ := reporttest.Openers(s.Findings)
	d := build(s)
	with := d.WithOpeners(openers)
	if d.Findings[0].Opener != nil {
		t.Error("the document was changed")
	}
	if o := with.Findings[0].Opener; o == nil || o.Doing() != "exited" || o.Returned {
		t.Errorf("the first opener is %+v", o)
	}
	if o := with.Findings[1].Opener; o == nil || o.Doing() != "blocked 4m in chan receive" || o.Returned {
		t.Errorf("the second opener is %+v", o)
	}
}

func TestOpenerDoing(t *testing.T) {
	tests := []struct {
		opener report.Opener
		want   string
	}{
		{report.Opener{State: "running"}, "running"},
		{report.Opener{State: "runnable"}, "running"},
		{report.Opener{State: "exited"}, "exited"},
		{report.Opener{State: "IO wait"}, "in IO wait"},
		{report.Opener{State: "select", LongestSeconds: 240}, "blocked 4m in select"},
		{report.Opener{State: "select", LongestSeconds: 240, WaitsFor: "orders"}, "waits for a connection of pool orders for 4m"},
		{report.Opener{State: "select", WaitsFor: "orders"}, "waits for a connection of pool orders"},
	}
	for _, tt := range tests {
		if got := tt.opener.Doing(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.opener, got, tt.want)
		}
	}
}

// That an opener has returned is said only if its whole stack is known.
func TestOpenerReturned(t *testing.T) {
	stack := func(functions ...string) (out []tracker.Frame) {
		for _, f := range functions {
			out = append(out, tracker.Frame{Function: f})
		}
		return out
	}
	deep := slices.Repeat(stack("main.recurse"), 100)
	tests := []struct {
		name  string
		site  string
		stack []tracker.Frame
		want  bool
	}{
		{"still there", "main.find", stack("runtime.gopark", "main.find", "main.serve"), false},
		{"in a go statement of it", "main.find", stack("database/sql.(*DB).Query", "main.find.gowrap1"), false},
		{"out of a loop over a function in it", "main.find-range1", stack("runtime.gopark", "main.find", "main.serve"), false},
		{"out of it with the loop", "main.find-range1", stack("runtime.gopark", "main.serve"), true},
		{"back in its caller", "main.find", stack("runtime.gopark", "main.serve"), true},
		{"in another of the name's beginning", "main.find", stack("main.findAll"), true},
		{"exited", "main.find", nil, false},
		{"too deep to tell", "main.find", deep, false},
		{"no site", "", stack("main.serve"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tracker.Snapshot{Findings: []tracker.Finding{{ID: "f", Site: tracker.Frame{Function: tt.site}}}}
			d := build(s).WithOpeners(map[string]tracker.Opener{"f": {Stack: tt.stack}})
			if got := d.Findings[0].Opener.Returned; got != tt.want {
				t.Errorf("returned is %v, want %v", got, tt.want)
			}
		})
	}
}
