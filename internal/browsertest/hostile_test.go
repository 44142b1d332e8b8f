package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// evil is what tries to be an element, or to run, wherever a page is careless.
const evil = `<img src=x onerror="owned=1"><svg onload="owned=1"><a href="javascript:owned=1">` + reporttest.Evil

// A program may call things what it wants: they stay text, also where the
// script puts them.
func TestHostile(t *testing.T) {
	t.Parallel()
	s := newService(t, evil, nil)
	ctx, end := s.tracker.Scope(context.WithValue(context.Background(), tenant{}, evil), evil)
	defer end()
	conn, err := s.orders.Conn(tracker.LongLived(ctx, evil))
	s.check(err)
	defer conn.Close()
	tx := s.begin(ctx, evil)
	s.exhaust(evil)
	s.known(tracker.KindTx, 1)

	p := newTab(t, light)
	p.live(s.url + "?pool=" + url.QueryEscape(evil) + "&func=" + url.QueryEscape("service"))
	unfold := `for (const d of document.querySelectorAll("details")) d.open = true`
	eval[any](p, unfold+"; null")
	p.shot("hostile")
	p.inert()

	s.begin(ctx, "SELECT 2 -- "+evil)
	s.check(tx.Rollback())
	s.findOrder()
	p.wait(`document.querySelector("[data-show]").innerText.endsWith(" new, show")`)
	p.click("[data-show]")
	p.wait(rowOf("findOrder"))
	eval[any](p, unfold+"; null")
	p.shot("hostile-live")
	p.inert()

	p.live(s.url + "?func=" + url.QueryEscape(evil) + "&x=" + url.QueryEscape(evil) + "#" + url.PathEscape(evil))
	p.inert()
	if got := eval[string](p, `document.querySelector("input[name=func]").value`); len(got) < len(evil) {
		t.Errorf("the form has lost some of %q: %q", evil, got)
	}
}

// begin opens a transaction and runs a statement in it.
func (s *service) begin(ctx context.Context, query string) interface{ Rollback() error } {
	tx, err := s.orders.BeginTx(context.WithoutCancel(ctx), nil)
	s.check(err)
	_, err = tx.Exec(query)
	s.check(err)
	s.kept = append(s.kept, func() { tx.Rollback() })
	return tx
}

// inert fails the test if something ran, or became an element.
func (p *tab) inert() {
	p.t.Helper()
	if eval[bool](p, `"owned" in window`) {
		p.t.Error("it has run")
	}
	for selector, want := range map[string]int{
		"script": 1, "style": 0, "img": 0, "svg[onload]": 0, "iframe, object, embed, base, form[action^=j]": 0, `a[href^="javascript:"]`: 0,
	} {
		if n := p.count(selector); n != want {
			p.t.Errorf("%d elements %s, want %d", n, selector, want)
		}
	}
	if eval[bool](p, `[...document.querySelectorAll("*")].some((e) => e.getAttributeNames().some((n) => n.startsWith("on") || n === "style"))`) {
		p.t.Error("an element has code or style in an attribute")
	}
	if !eval[bool](p, `document.body.textContent.includes("<img src=x onerror=")`) && !eval[bool](p, fmt.Sprintf(
		`[...document.querySelectorAll("input")].some((e) => e.value.includes(%s))`, quote("<img src=x onerror="))) {
		p.t.Error("the text is not there")
	}
}
