package browsertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// focused names what has the focus as a person would, and "" for nothing.
func (p *tab) focused() string {
	return eval[string](p, `(() => {
		const e = document.activeElement;
		if (e === document.body) return "";
		const label = e.labels?.[0]?.firstChild.textContent ?? e.querySelector("code")?.textContent ?? e.innerText;
		return label.trim().split("\n")[0];
	})()`)
}

// All that there is to do can be done with keys, in the order of the page.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := trouble(t)
	p := newTab(t, light)
	p.live(s.url)

	p.press(kb.Tab)
	if got := p.focused(); got != "Skip to the findings" {
		t.Fatalf("the first thing is %q", got)
	}
	if box := eval[[]float64](p, `(({ width, height }) => [width, height])(document.activeElement.getBoundingClientRect())`); box[0] < 50 || box[1] < 10 {
		t.Errorf("the link has the focus and a size of %v", box)
	}
	p.shot("skip-link")

	var order []string
	for range 60 {
		p.press(kb.Tab)
		got := p.focused()
		if got == "" {
			break
		}
		order = append(order, got)
		if outline := eval[string](p, `getComputedStyle(document.activeElement).outlineStyle`); outline == "none" {
			t.Errorf("nobody sees that the focus is on %q", got)
		}
	}
	want := []string{"json", "text", "pprof", "diagnosis", "help", "Pause", "Pool", "Kind", "State", "At least", "Function", "Filter",
		"browsertest.(*service).findOrder", "Open", "Recently ended"}
	at := -1
	for _, w := range want {
		i := slices.IndexFunc(order, func(o string) bool { return strings.HasPrefix(o, w) })
		if i <= at {
			t.Errorf("%q is at %d of the order, want it after %d: %q", w, i, at, order)
		}
		at = i
	}

	// The skip link leads to the findings: what comes next is theirs.
	p.live(s.url)
	p.press(kb.Tab, kb.Enter)
	p.wait(`location.hash === "#findings"`)
	p.press(kb.Tab)
	if got := p.focused(); got != "Pool" {
		t.Errorf("behind the link comes %q", got)
	}

	// A finding opens and closes.
	for p.focused() != "browsertest.(*service).findOrder" {
		p.press(kb.Tab)
	}
	find := rowOf("findOrder")
	p.press(kb.Enter)
	p.wait(find + ".open")
	p.shot("keyboard-open")
	p.press(" ")
	p.wait("!" + find + ".open")
}

// A link from an exhausted pool leads to what holds it, and one of the browser's
// history to the finding in the page.
func TestLinks(t *testing.T) {
	t.Parallel()
	s := trouble(t)
	p := newTab(t, light)
	p.live(s.url)
	id := eval[string](p, rowOf("report")+".id")
	p.click(".alarm a")
	p.wait(`location.search.startsWith("?id=") && ` + rowOf("report") + "?.open")
	if n := p.count("[id^=f-]"); n != 1 {
		t.Errorf("the page of one finding has %d", n)
	}
	p.live(s.url + "#" + id)
	p.wait(rowOf("report") + ".open")
}
