package httpdebug

import (
	"net/http"
	"runtime"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// maxGoroutines is how many goroutines there may be for the page to look,
// without being asked, at what they do: that stops the world for some
// microseconds for each of them.
const maxGoroutines = 2000

// The parameter openers says whether the page is to look at what the
// goroutines do that opened what is in trouble: "now", also if there are many,
// or "no", as a page that refreshes itself wants it.
const paramOpeners = "openers"

// withOpeners adds to the document what the openers do now. Why it didn't look,
// if so, is for the page to say.
func (h *handler) withOpeners(v *visit, s tracker.Snapshot, d report.Document) (report.Document, string, error) {
	asked := v.r.URL.Query().Get(paramOpeners)
	n := runtime.NumGoroutine()
	switch {
	case asked != "" && asked != "now" && asked != "no":
		return d, "", failf(http.StatusBadRequest, "parameter %s: %q is none of now, no", paramOpeners, asked)
	case len(s.Findings) == 0:
		return d, "", nil
	case asked == "no":
		return d, "What the goroutines do that opened these was not looked at.", nil
	case asked == "" && n > maxGoroutines:
		return d, "What the goroutines do that opened these was not looked at, as that stops all " +
			words.Plural(n, "goroutine") + " for a moment.", nil
	}
	openers, looked := h.openers(s.Findings)
	if !looked {
		return d, "What the goroutines do that opened these was looked at a moment ago; it is too early to look again.", nil
	}
	return d.WithOpeners(openers), "", nil
}
