package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// tab is a page in a window of its own.
type tab struct {
	t    *testing.T
	ctx  context.Context
	quit chan bool // closed after the last message was read

	mu   sync.Mutex
	said []string // on the console: messages, exceptions, what a policy refused
}

// look is how a page is looked at.
type look struct {
	width  int64
	scheme string // light or dark
	phone  bool
}

var (
	light = look{width: 1280, scheme: "light"}
	dark  = look{width: 1280, scheme: "dark"}
	phone = look{width: 390, scheme: "light", phone: true}
)

// newTab opens an empty page. At the test's end it must have said nothing on
// its console, unless the test took what it said.
func newTab(t *testing.T, as look) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	p := &tab{t: t, ctx: ctx, quit: make(chan bool)}
	messages := chromedp.Console(ctx)
	go func() {
		defer close(p.quit)
		for m, err := range messages {
			if err != nil {
				return // the tab is closed
			}
			p.mu.Lock()
			p.said = append(p.said, m.String())
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-p.quit
		for _, m := range p.said {
			t.Errorf("the console says %s", m)
		}
	})
	p.do(chromedp.EmulateViewport(as.width, 900, func(m *emulation.SetDeviceMetricsOverrideParams, touch *emulation.SetTouchEmulationEnabledParams) {
		m.Mobile, touch.Enabled = as.phone, as.phone
	}))
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: as.scheme}},
	})
	return p
}

// taken returns what was said on the console so far, and forgets it.
func (p *tab) taken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	said := p.said
	p.said = nil
	return said
}

// bounded is the tab's context with an end.
func (p *tab) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, patience)
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := p.bounded()
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// call sends the browser a command about the tab.
func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := p.bounded()
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.t.Fatal(err)
	}
	return result
}

func (p *tab) open(url string) {
	p.t.Helper()
	p.do(chromedp.Navigate(url))
}

// live opens the page and waits until it is up to date.
func (p *tab) live(url string) {
	p.t.Helper()
	p.open(url)
	p.wait(`document.querySelector("[data-says]").textContent === "live"`)
}

// eval returns the value of an expression in the page.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := p.bounded()
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// wait waits until an expression is true.
func (p *tab) wait(expression string) {
	p.t.Helper()
	p.until(expression, func() bool { return eval[bool](p, "Boolean("+expression+")") })
}

func (p *tab) until(what string, done func() bool) {
	p.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !done(); {
		select {
		case <-tick.C:
		case <-deadline:
			p.shot("failed-" + strings.ReplaceAll(p.t.Name(), "/", "-"))
			p.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func (p *tab) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%s)?.innerText ?? "(none)"`, quote(selector)))
}

func (p *tab) count(selector string) int {
	p.t.Helper()
	return eval[int](p, fmt.Sprintf(`document.querySelectorAll(%s).length`, quote(selector)))
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

func (p *tab) press(keys ...string) {
	p.t.Helper()
	for _, k := range keys {
		p.do(chromedp.KeyEvent(k))
	}
}

// shot writes a picture of the whole page, if screenshots are wanted.
func (p *tab) shot(name string) {
	p.t.Helper()
	if *screenshots == "" {
		return
	}
	size := eval[[]float64](p, `[document.documentElement.clientWidth, document.documentElement.scrollHeight]`)
	p.picture(filepath.Join(*screenshots, name+".png"), size[0], min(size[1], 4000))
}

// picture writes the upper part of the page.
func (p *tab) picture(file string, width, height float64) {
	p.t.Helper()
	out := call(p, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: new(true),
		Clip: &page.Viewport{Width: width, Height: height, Scale: 1},
	})
	if err := os.WriteFile(file, out.Data, 0o666); err != nil {
		p.t.Fatal(err)
	}
}

// quote is a string of JavaScript.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}
