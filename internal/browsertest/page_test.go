package browsertest

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// content is what the page of trouble says, by place.
var content = map[string][]string{
	".counts":               {"1\nexhausted", "2\nleaked", "4\noverdue", "7\nopen"},
	".alarm":                {"Pool reports is exhausted", "2 of 2 connections in use", "browsertest.(*service).report"},
	".pools":                {"orders", "reports", "2 × conn, 1 × tx, 2 × rows, 6 × stmt"},
	"main":                  {"findOrder", "checkout", "reserve", "Recently ended", "Open"},
	"footer":                {"go tool pprof", "Thresholds"},
	".finding":              {"leaked", "unreachable", "rows", "2", "garbage collected before Close"},
	"header":                {"database handles", "pid", "as of"},
	"[aria-label*=formats]": {"json", "text", "pprof", "help"},
}

func (p *tab) says(content map[string][]string) {
	p.t.Helper()
	for selector, texts := range content {
		got := strings.ReplaceAll(p.text(selector), "\u00a0", " ")
		for _, want := range texts {
			if !strings.Contains(got, want) {
				p.t.Errorf("%s doesn't say %q: %q", selector, want, got)
			}
		}
	}
}

// It runs by itself: who waits is looked up in a dump of all goroutines, which
// is not for everybody at any time.
func TestContent(t *testing.T) {
	s := trouble(t)
	p := newTab(t, light)
	p.live(s.url)
	p.says(content)
	p.says(map[string][]string{".alarm": {"Waiting", "exhaust.func1"}})
}

// Without script all is there but what only script can do.
func TestNoScript(t *testing.T) {
	t.Parallel()
	s := trouble(t)
	p := newTab(t, light)
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	p.open(s.url)
	p.says(content)
	p.shot("no-script")
	if got := eval[string](p, `getComputedStyle(document.getElementById("live")).display`); got != "none" {
		t.Errorf("the indicator is displayed as %s", got)
	}
	p.click("summary.row")
	p.says(map[string][]string{".finding": {"Do", "defer rows.Close()", "SELECT id, status FROM orders WHERE customer = ?", "Stack"}})
	p.do(chromedp.SendKeys(chromedp.CSS("input[name=func]"), "checkout"), chromedp.Click(chromedp.CSS("form[role=search] button")))
	p.wait(`document.readyState === "complete" && location.search.includes("func=checkout")`)
	if n := p.count("[id^=f-]"); n != 1 {
		t.Errorf("%d findings behind the filter, want 1", n)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	s := trouble(t)
	p := newTab(t, light)
	p.live(s.url)
	for _, f := range []struct {
		field, value string
		findings     int
	}{
		{"state", "leaked", 1}, {"kind", "rows", 1}, {"state", "overdue", 1}, {"pool", "orders", 0}, {"kind", "tx", 1},
		{"func", "checkout", 1}, {"min_age", "1h", 0},
	} {
		field := chromedp.CSS("form[role=search] [name=" + f.field + "]")
		p.do(chromedp.SetValue(field, f.value), chromedp.Click(chromedp.CSS("form[role=search] button")))
		p.wait(`document.readyState === "complete" && new URLSearchParams(location.search).get("` + f.field + `") === "` + f.value + `"`)
		p.wait(`document.querySelector("[data-says]").textContent === "live"`)
		if n := p.count("[id^=f-]"); n != f.findings {
			t.Errorf("%d findings with %s, want %d", n, eval[string](p, "location.search"), f.findings)
		}
		for _, format := range []string{"json", "text", "pprof"} {
			link := eval[string](p, `new URL(document.querySelector("nav a[href^=`+format+`]").href).search`)
			if !strings.Contains(link, f.field+"="+f.value) {
				t.Errorf("the link to %s has the filter %s", format, link)
			}
		}
	}
	p.do(chromedp.Click(chromedp.CSS("form[role=search] a")))
	p.wait(`location.search === "" && document.querySelectorAll("[id^=f-]").length === 4`)
}
