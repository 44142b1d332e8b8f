package leaklog

import (
	"fmt"
	"path"
	"strings"

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
		{"holders", holders(x)},
		{"reason", x.Reason},
	}
}

func holders(x *tracker.Exhaustion) string {
	var list []string
	for _, f := range x.Holders {
		place := fmt.Sprintf("%s:%d", path.Base(strings.ReplaceAll(f.Site.File, `\`, "/")), f.Site.Line)
		list = append(list, fmt.Sprintf("%d %v (%v) at %s %s", f.Count, f.Kind, f.State, f.Site.Function, place))
	}
	if x.Others > 0 {
		list = append(list, fmt.Sprintf("%d more", x.Others))
	}
	return strings.Join(list, "; ")
}
