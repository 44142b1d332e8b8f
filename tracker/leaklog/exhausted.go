package leaklog

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/dbleaks-go/dbleaks/tracker"
)

func exhaustedFields(k tracker.EventKind, x *tracker.Exhaustion) []field {
	fields := []field{
		{"event", k.String()},
		{"pool", x.Pool},
		{"limit", x.Limit},
		{"in_use", x.InUse},
		{"waiting", x.Waiting},
		{"for_s", seconds(x.For)},
		{"holders", holders(x)},
		{"waiters", waiters(x)},
		{"deadlock", deadlock(x)},
		{"reason", x.Reason},
		{"advice", x.Advice},
	}
	return slices.DeleteFunc(fields, func(f field) bool { return f.value == "" })
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
		for _, m := range l.Members {
			list = append(list, fmt.Sprintf("goroutine %d holds %v of %s, waits at %s", m.Goroutine, m.Kind, place(m.Holds), place(m.Waits)))
		}
	}
	return strings.Join(list, "; ")
}

func place(f tracker.Frame) string {
	return fmt.Sprintf("%s:%d", path.Base(strings.ReplaceAll(f.File, `\`, "/")), f.Line)
}

func holders(x *tracker.Exhaustion) string {
	var list []string
	for _, f := range x.Holders {
		list = append(list, fmt.Sprintf("%d %v (%v) at %s %s", f.Count, f.Kind, f.State, f.Site.Function, place(f.Site)))
	}
	if x.Others > 0 {
		list = append(list, fmt.Sprintf("%d more", x.Others))
	}
	return strings.Join(list, "; ")
}
