package leaklog

import (
	"fmt"
	"strings"

	"github.com/dbleaks-go/dbleaks/tracker"
)

func refusedFields(k tracker.EventKind, r *tracker.Refusal) []field {
	return []field{
		{"event", k.String()},
		{"pool", r.Pool},
		{"what", r.What.String()},
		{"code", r.Code},
		{"count", r.Count},
		{"for_s", seconds(r.Last.Sub(r.First))},
		{"dbs", r.DBs},
		{"in_use", r.InUse},
		{"idle", r.Idle},
		{"holders", refusalHolders(r)},
		{"reason", r.Reason},
		{"advice", r.Advice},
	}
}

func refusalHolders(r *tracker.Refusal) string {
	var list []string
	for _, h := range r.Holders {
		what := h.Kind.String()
		if h.Kind == tracker.KindDB {
			what = fmt.Sprintf("idle connections of %d db", h.DBs)
		}
		list = append(list, fmt.Sprintf("%d %s at %s %s", h.Count, what, h.Site.Function, place(h.Site)))
	}
	if r.Others > 0 {
		list = append(list, fmt.Sprintf("%d more", r.Others))
	}
	return strings.Join(list, "; ")
}
