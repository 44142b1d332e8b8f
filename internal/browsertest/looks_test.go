package browsertest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// The page in its states, in both schemes and on a phone: it fits, and there is
// nothing that an audit of its accessibility finds.
func TestLooks(t *testing.T) {
	t.Parallel()
	troubled, quiet := trouble(t), newService(t, "orders", nil)
	pages := []struct {
		name, url string
		// prepare is done on the page before it is looked at.
		prepare string
	}{
		{"quiet", quiet.url, ""},
		{"trouble", troubled.url, ""},
		{"open", troubled.url, `for (const d of document.querySelectorAll("details")) d.open = true`},
		{"filtered", troubled.url + "?kind=tx&state=overdue&min_age=1s&func=checkout", ""},
		{"none", troubled.url + "?func=nowhere", ""},
	}
	others := troubled.others(t)
	for name, as := range map[string]look{"light": light, "dark": dark, "phone": phone} {
		for _, page := range pages {
			t.Run(page.name+"-"+name, func(t *testing.T) {
				t.Parallel()
				p := newTab(t, as)
				p.live(page.url)
				eval[any](p, page.prepare+"; null")
				p.shot(page.name + "-" + name)
				p.fits()
				p.audit()
			})
		}
		for _, other := range others {
			t.Run(other+"-"+name, func(t *testing.T) {
				t.Parallel()
				p := newTab(t, as)
				p.open(troubled.url + other)
				p.shot(other + "-" + name)
				p.fits()
				p.audit()
			})
		}
	}
}

// others are the names of the pages, rather than formats, that the page links
// to.
func (s *service) others(t *testing.T) (names []string) {
	t.Helper()
	p := newTab(t, light)
	p.open(s.url)
	for _, name := range eval[[]string](p, `[...document.querySelectorAll("header nav a")].map((e) => e.getAttribute("href"))`) {
		answer, err := http.Get(s.url + name)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Error("the page links to no other, such as its help")
	}
	return names
}

// fits fails the test if there is something to scroll sideways.
func (p *tab) fits() {
	p.t.Helper()
	if over := eval[float64](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		p.t.Errorf("the page is %v pixels wider than %v; what sticks out: %s", over, eval[float64](p, "innerWidth"), eval[string](p,
			`[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth)
				.map((e) => e.tagName + "." + e.className).slice(0, 5).join(", ")`))
	}
}

// Whatever the width of the window, the page fits, unfolded too.
func TestWidths(t *testing.T) {
	t.Parallel()
	s := trouble(t)
	p := newTab(t, light)
	p.live(s.url)
	eval[any](p, `for (const d of document.querySelectorAll("details")) d.open = true; null`)
	for _, width := range []int64{320, 360, 480, 600, 720, 768, 769, 900, 1024, 1100, 1280, 1600, 1920} {
		p.do(chromedp.EmulateViewport(width, 900))
		p.shot(fmt.Sprint("width-", width))
		p.fits()
	}
}

// Colours are not all: the page does without those it chooses.
func TestForcedColours(t *testing.T) {
	t.Parallel()
	s := trouble(t)
	p := newTab(t, light)
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
	})
	p.live(s.url)
	p.shot("forced-colours")
	if got := eval[string](p, `getComputedStyle(document.querySelector(".badge")).borderTopStyle`); got != "solid" {
		t.Errorf("the border of a badge is %s", got)
	}
}

// The two schemes differ, and the system chooses.
func TestSchemes(t *testing.T) {
	t.Parallel()
	s := newService(t, "orders", nil)
	colours := map[string]string{}
	for _, as := range []look{light, dark} {
		p := newTab(t, as)
		p.live(s.url)
		colours[as.scheme] = eval[string](p, `getComputedStyle(document.body).backgroundColor`)
	}
	if colours["light"] == colours["dark"] {
		t.Errorf("both are %s", colours["light"])
	}
}
