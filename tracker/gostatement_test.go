//go:build (amd64 || arm64) && !dbleaks_callers

package tracker_test

import (
	"slices"
	"strings"
	"testing"
)

// TestQueryOfAGoStatement: the goroutine's only application frame is one that
// the compiler made for the statement. (runtime.Callers leaves that out.)
func TestQueryOfAGoStatement(t *testing.T) {
	w := watch(t)
	go w.QueryContext(ctx, "rows 9") // dropped on purpose
	eventually(t, "the rows are open", func() bool { return w.tracker.Snapshot().Pools[0].InUse == 1 })
	var sites []string
	for _, f := range w.tracker.Close().Findings {
		sites = append(sites, f.Site.Function)
	}
	if !slices.ContainsFunc(sites, func(s string) bool { return strings.HasSuffix(s, "TestQueryOfAGoStatement") }) {
		t.Errorf("opened at %q", sites)
	}
}
