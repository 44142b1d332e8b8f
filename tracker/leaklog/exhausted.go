package leaklog

import (
	"fmt"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func exhaustedFields(k tracker.EventKind, x *tracker.Exhaustion) []field {
	return []field{
		{"event", k.String()},
		{"pool", x.Pool},
		{"limit", x.Limit},
		{"in_use", x.InUse},
		{"waiting", x.Waiting},
		{"for_s", seconds(x.For)},
		{"growth", x.Growth},
		{"holders", holders(x)},
		{"waiters", waiters(x)},
		{"deadlock", deadlock(x)},
		{"reason", x.Reason},
		{"advice", strings.Join(x.Advice, "; ")},
	}
}

func waiters(x *tracker.Exhaustion) string {
	var list []string
	for _, w := range x.Waiters[:min(len(x.Waiters), 5)] {
		list = append(list, fmt.Sprintf("%d at %s %s", w.Count, w.Site.Function, place(w.Site)))
	}
	return strings.Join(list, "; ")
}

func deadlock(x *tracker.Exhaustion) string {
	var list []string
	for _, l := range x.Deadlocks {
		for i, m := range l.Members {
			said := ""
			if i == 0 && l.Doubt != "" {
				said = "suspected: "
			}
			list = append(list, said+fmt.Sprintf("goroutine %d holds %v of %s, waits at %s", m.Goroutine, m.Kind, place(m.Holds), place(m.Waits)))
		}
	}
	return strings.Join(list, "; ")
}

func place(f tracker.Frame) string {
	return words.Place(f.File, f.Line)
}

func holders(x *tracker.Exhaustion) string {
	var list []string
	for _, h := range x.Holders {
		f := h.Handles
		said := fmt.Sprintf("%d %v (%v) at %s %s", f.Count, f.Kind, f.State, f.Site.Function, place(f.Site))
		if openers := openers(h); openers != "" {
			said += ", opener " + openers
		}
		list = append(list, said)
	}
	if x.Others > 0 {
		list = append(list, fmt.Sprintf("%d more", x.Others))
	}
	return strings.Join(list, "; ")
}

// openers says what the goroutines do now that opened a holder's handles.
func openers(h tracker.Holder) string {
	var list []string
	for _, o := range h.Openers[:min(len(h.Openers), 3)] {
		said := words.Doing(o.State, o.WaitsFor, o.Longest)
		if len(h.Openers) > 1 {
			said = fmt.Sprintf("%d %s", o.Count, said)
		}
		if o.At != (tracker.Frame{}) {
			said += " at " + place(o.At)
		}
		list = append(list, said)
	}
	return strings.Join(list, ", ")
}
