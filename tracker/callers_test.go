package tracker_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

//go:noinline
func byCheckout(t *testing.T, w *watched) *sql.Conn { return connOfOneLine(t, w) }

//go:noinline
func byExport(t *testing.T, w *watched) *sql.Conn { return connOfOneLine(t, w) }

// TestCallers: handles of one line are told apart by who had called, and each is
// counted once.
func TestCallers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		conns := []*sql.Conn{byCheckout(t, w)}
		pass(10 * time.Second)
		for range 3 {
			conns = append(conns, byExport(t, w))
		}
		for _, wait := range []time.Duration{5 * time.Second, time.Minute} { // open, then overdue
			pass(wait)
			s := w.tracker.Snapshot()
			all := slices.DeleteFunc(slices.Concat(s.Findings, s.Open), func(f tracker.Finding) bool { return f.Kind == tracker.KindDB })
			if len(all) != 1 || all[0].Count != 4 {
				t.Fatalf("%+v", all)
			}
			age := all[0].Age
			got := slices.Collect(all[0].Callers())
			if len(got) != 2 {
				t.Fatalf("callers %+v", got)
			}
			for i, want := range []struct {
				caller string
				count  int
				oldest time.Duration
			}{{"byCheckout", 1, age}, {"byExport", 3, age - 10*time.Second}} {
				c := got[i]
				if c.Count != want.count || c.Oldest.Round(time.Second) != want.oldest.Round(time.Second) || c.HandleSeconds != float64(c.Count)*c.Oldest.Seconds() ||
					!slices.ContainsFunc(c.Stack, func(f tracker.Frame) bool { return strings.HasSuffix(f.Function, want.caller) }) {
					t.Errorf("callers %+v, want %+v", c, want)
				}
			}
		}
		// Whoever looks at some of them only is not told of more.
		for range w.tracker.Snapshot().Findings[0].Callers() {
			break
		}
		told := w.events.events[0].Finding
		if got := slices.Collect(told.Callers()); len(got) != 1 || got[0].Count != told.Count || len(got[0].Stack) != len(told.Stack) {
			t.Errorf("of an event's finding: %+v", got)
		}
		for _, c := range conns {
			c.Close()
		}
		w.done(t)
	})
}
