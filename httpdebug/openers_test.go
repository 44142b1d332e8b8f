package httpdebug

import (
	"strings"
	"sync"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// The page looks at what openers do if there is something to look at, and if
// that stops few goroutines or it was told to.
func TestPageLooksAtOpeners(t *testing.T) {
	const notLooked = "was not looked at"
	tests := []struct {
		name       string
		snapshot   tracker.Snapshot
		query      string
		goroutines int // more than there are
		looks      int
		want       string
	}{
		{name: "findings", snapshot: reporttest.Snapshot(), looks: 1, want: "blocked 4m in chan receive"},
		{name: "nothing to look at", snapshot: reporttest.Quiet()},
		{name: "all filtered out", snapshot: reporttest.Snapshot(), query: "?pool=archive"},
		{name: "told not to", snapshot: reporttest.Snapshot(), query: "?openers=no", want: notLooked},
		{name: "many goroutines", snapshot: reporttest.Snapshot(), goroutines: maxGoroutines, want: "as that stops all 2"},
		{name: "told to", snapshot: reporttest.Snapshot(), query: "?openers=now", goroutines: maxGoroutines, looks: 1, want: "checkout.go:131"},
		{
			name: "offers to look", snapshot: reporttest.Snapshot(), query: "?openers=no&kind=tx",
			want: `<a href="?kind=tx&amp;openers=now">Look now</a>`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer idle(tt.goroutines)()
			h := testHandler(tt.snapshot)
			looks := 0
			h.openers = func(fs []tracker.Finding) (map[string]tracker.Opener, bool) {
				looks++
				return reporttest.Openers(fs)
			}
			w := serve(h, get(tt.query))
			wantStatus(t, w, 200)
			if looks != tt.looks {
				t.Errorf("looked %d times, want %d", looks, tt.looks)
			}
			if !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("no %q", tt.want)
			}
			if column := strings.Contains(w.Body.String(), "Opener now</span>"); column != (looks > 0) {
				t.Errorf("there is a column of openers: %v", column)
			}
		})
	}
}

// idle starts so many goroutines, and returns what ends them.
func idle(n int) (end func()) {
	over := make(chan struct{})
	var all sync.WaitGroup
	for range n {
		all.Go(func() { <-over })
	}
	return func() {
		close(over)
		all.Wait()
	}
}

func TestTooEarlyToLook(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	h.openers = func([]tracker.Finding) (map[string]tracker.Opener, bool) { return nil, false }
	w := serve(h, get("?openers=now"))
	if !strings.Contains(w.Body.String(), "too early to look again") {
		t.Errorf("the page doesn't say that it's too early:\n%s", w.Body)
	}
}

func TestWrongOpeners(t *testing.T) {
	w := serve(testHandler(reporttest.Snapshot()), get("?openers=%22%3E"))
	wantStatus(t, w, 400)
	if want := `dbleaks: parameter openers: "\">" is none of now, no`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("%s, want %s", w.Body, want)
	}
}
