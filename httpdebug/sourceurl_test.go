package httpdebug

import (
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func TestSourceLink(t *testing.T) {
	tests := []struct{ url, want string }{
		{"https://git.example.com/shop/blob/main/store/orders.go#L42", "https://git.example.com/shop/blob/main/store/orders.go#L42"},
		{"http://localhost:8080/?file=a b", "http://localhost:8080/?file=a b"},
		{"vscode://file/src/orders.go:42", "vscode://file/src/orders.go:42"},
		{"idea://open?file=/src/orders.go&line=42", "idea://open?file=/src/orders.go&line=42"},
		{"HTTPS://git.example.com/", "https://git.example.com/"},
		{"", ""},
		{"/src/orders.go", ""},
		{"orders.go", ""},
		{"https:orders.go", ""},
		{"//git.example.com/orders.go", ""},
		{"javascript:alert(1)", ""},
		{"JaVaScRiPt://x/%0aalert(1)", ""},
		{"data:text/html,<script>alert(1)</script>", ""},
		{"file:///etc/passwd", ""},
		{"vbscript:x", ""},
		{" javascript:alert(1)", ""},
		{"java\nscript:alert(1)", ""},
		{"https://[::1", ""},
	}
	for _, tt := range tests {
		h := newHandler([]Option{SourceURL(func(tracker.Frame) string { return tt.url })})
		if got := string(h.sourceLink(report.Frame{})); got != tt.want {
			t.Errorf("%q became %q, want %q", tt.url, got, tt.want)
		}
	}
}

func TestSourceURLPanics(t *testing.T) {
	h := newHandler([]Option{SourceURL(func(tracker.Frame) string { panic("no") })})
	if got := h.sourceLink(report.Frame{}); got != "" {
		t.Errorf("got %q", got)
	}
}

// Each line of a stack is asked for, and a link's attribute is closed.
func TestSourceLinksOnThePage(t *testing.T) {
	var asked []tracker.Frame
	h := testHandler(reporttest.Snapshot(), SourceURL(func(f tracker.Frame) string {
		asked = append(asked, f)
		return `https://git.example.com/"><script>` + f.File
	}))
	page := serve(h, get("?id=f1")).Body.Bytes()
	checkMarkup(t, page)
	if want := `<a href="https://git.example.com/%22%3E%3Cscript%3E/src/shop/store/orders.go" rel="noreferrer">`; !strings.Contains(string(page), want) {
		t.Errorf("no %s in the page", want)
	}
	for i, f := range reporttest.Snapshot().Findings[0].Stack {
		if i >= len(asked) || asked[i] != f {
			t.Fatalf("asked for %v, want the stack %v", asked, f)
		}
	}
}
