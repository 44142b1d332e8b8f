package browsertest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// At the end of a stream the page asks for the next, and nobody sees that.
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	var r relay
	r.length = time.Second
	s := newService(t, "orders", r.wrap)
	p := newTab(t, light)
	p.live(s.url)
	eval[any](p, `window.heard = new Set(), new MutationObserver(() => heard.add(document.querySelector("[data-says]").textContent))
		.observe(document.getElementById("live"), { subtree: true, childList: true }), null`)
	p.until("three streams", func() bool { return r.asked.Load() >= 3 })
	s.findOrder()
	p.wait(`document.querySelector(".counts [data-live=leaked]").textContent === "1"`)
	p.wait(`document.querySelector("[data-show]").innerText === "1 new, show"`)
	if got := eval[[]string](p, `[...heard]`); len(got) > 1 || len(got) == 1 && got[0] != "live" {
		t.Errorf("meanwhile it said %q", got)
	}
}

// relay stands in front of a service, and may fail it.
type relay struct {
	next    atomic.Pointer[http.Handler]
	streams atomic.Int64  // open now
	asked   atomic.Int64  // for streams
	length  time.Duration // of streams, unless 0
	// fails answers instead of streams, or of all events.
	fails, failsAll atomic.Bool
}

func (r *relay) wrap(h http.Handler) http.Handler {
	r.next.Store(&h)
	return r
}

func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if strings.HasSuffix(req.URL.Path, "/events") {
		stream := strings.Contains(req.Header.Get("Accept"), "event-stream")
		if r.failsAll.Load() || stream && r.fails.Load() {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		if stream {
			r.asked.Add(1)
			r.streams.Add(1)
			defer r.streams.Add(-1)
			if r.length > 0 {
				ctx, cancel := context.WithTimeout(req.Context(), r.length)
				defer cancel()
				req = req.WithContext(ctx)
			}
		}
	}
	(*r.next.Load()).ServeHTTP(w, req)
}

func (p *tab) streams(r *relay, n int64) {
	p.t.Helper()
	p.until(fmt.Sprintf("%d streams", n), func() bool { return r.streams.Load() == n })
}

// A page that is paused, or out of sight, asks for nothing and stays as it is.
func TestPause(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]struct{ begin, end string }{
		"button": {`document.querySelector("[data-pause]").click()`, `document.querySelector("[data-pause]").click()`},
		"hidden": {hidden(true), hidden(false)},
	} {
		t.Run(name, func(t *testing.T) {
			var r relay
			s := newService(t, "orders", r.wrap)
			p := newTab(t, light)
			p.live(s.url)
			p.streams(&r, 1)
			eval[any](p, pause.begin+", null")
			p.streams(&r, 0)
			if name == "button" {
				p.shot("paused")
				if got := p.text("[data-says]") + " " + p.text("[data-pause]"); !strings.HasPrefix(got, "paused since ") || !strings.HasSuffix(got, " Resume") {
					t.Errorf("it says %q", got)
				}
			}
			s.findOrder()
			s.known(tracker.KindRows, 1)
			if got := p.text(".counts [data-live=leaked]"); got != "0" {
				t.Errorf("%s leaked on a page that is paused", got)
			}
			eval[any](p, pause.end+", null")
			p.streams(&r, 1)
			p.wait(`document.querySelector(".counts [data-live=leaked]").textContent === "1"`)
			p.wait(`document.querySelector("[data-says]").textContent === "live"`)
		})
	}
}

// hidden makes the page believe that it is out of sight, or in it.
func hidden(is bool) string {
	return fmt.Sprintf(`Object.defineProperty(document, "hidden", { value: %v, configurable: true }), `+
		`document.dispatchEvent(new Event("visibilitychange"))`, is)
}

// Where no stream comes through the page polls, and says so; and it says since
// when it knows nothing.
func TestPolling(t *testing.T) {
	t.Parallel()
	var r relay
	r.fails.Store(true)
	s := newService(t, "orders", r.wrap)
	p := newTab(t, light)
	p.open(s.url)
	p.wait(`document.querySelector("[data-says]").textContent === "asks every 5s"`)
	p.shot("polling")
	s.findOrder()
	p.wait(`document.querySelector(".counts [data-live=leaked]").textContent === "1"`)
	r.failsAll.Store(true)
	p.wait(`document.querySelector("[data-says]").textContent.startsWith("no answer since ")`)
	p.shot("no-answer")
	r.failsAll.Store(false)
	r.fails.Store(false)
	p.wait(`document.querySelector("[data-says]").textContent === "live"`)
	for _, m := range p.taken() {
		if !strings.Contains(m, "502 (Bad Gateway)") {
			t.Errorf("the console says %s", m)
		}
	}
}

// Something that keeps streams back until they end is found out by silence.
func TestPollingBehindBuffer(t *testing.T) {
	t.Parallel()
	s := newService(t, "orders", func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(&buffer{w, http.StatusOK, nil}, r) })
	})
	p := newTab(t, light)
	p.open(s.url)
	p.wait(`document.querySelector("[data-says]").textContent === "asks every 5s"`)
}

// buffer takes flushes, and flushes nothing unless the answer has a length.
type buffer struct {
	http.ResponseWriter
	status int
	kept   []byte
}

func (b *buffer) WriteHeader(status int) { b.status = status }
func (b *buffer) Flush()                 {}

func (b *buffer) Write(p []byte) (int, error) {
	if b.Header().Get("Content-Length") == "" {
		b.kept = append(b.kept, p...)
		return len(p), nil
	}
	b.ResponseWriter.WriteHeader(b.status)
	return b.ResponseWriter.Write(p)
}

// After a restart of the program all is new.
func TestRestart(t *testing.T) {
	t.Parallel()
	var r relay
	first := newService(t, "orders", r.wrap)
	first.findOrder()
	first.known(tracker.KindRows, 1)
	var other relay
	second := newService(t, "customers", other.wrap)
	p := newTab(t, light)
	p.live(first.url)
	p.wait(rowOf("findOrder"))
	r.next.Store(other.next.Load())
	first.disconnect()
	p.wait(`document.querySelector("[data-show]").innerText === "started anew, show"`)
	p.wait(rowOf("findOrder") + `.querySelector(".badge").innerText === "over"`)
	p.click("[data-show]")
	p.wait(`document.querySelector(".pools .name").textContent === "customers"`)
	p.wait(`document.querySelector("[data-show]").hidden`)
	second.findOrder()
	p.wait(`document.querySelector("[data-show]").innerText === "1 new, show"`)
	for _, m := range p.taken() {
		if !strings.Contains(m, "ERR_INCOMPLETE_CHUNKED_ENCODING") {
			t.Errorf("the console says %s", m)
		}
	}
}
