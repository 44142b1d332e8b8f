package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// What the page has of the findings whose line is in a method.
func rowOf(method string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("[id^=f-]")].find((e) => e.innerText.includes(%s))`, quote("."+method))
}

// known waits until the tracker has reported so many handles of a kind.
func (s *service) known(kind tracker.Kind, count int) {
	s.t.Helper()
	s.until(fmt.Sprintf("%d %v are reported", count, kind), func(now tracker.Snapshot) bool {
		n := 0
		for _, f := range now.Findings {
			if f.Kind == kind && !f.FirstSeen.IsZero() {
				n += f.Count
			}
		}
		return n == count
	})
}

func TestLiveUpdate(t *testing.T) {
	t.Parallel()
	s := newService(t, "orders", nil)
	s.findOrder()
	s.known(tracker.KindRows, 1)
	p := newTab(t, light)
	p.live(s.url)
	find := rowOf("findOrder")
	p.click("summary.row")
	p.wait(find + ".open")

	// What is there changes in place.
	s.findOrder()
	p.wait(find + `.querySelector(".count b").textContent === "2"`)
	p.wait(`document.querySelector(".counts .leaked b").textContent === "2"`)
	p.wait(`document.title.startsWith("2 leaked, ")`)
	p.wait(`document.querySelector(".pools [data-live=in_use]").textContent === "2"`)
	if !eval[bool](p, find+".open") {
		t.Error("the finding that was open is closed")
	}

	// Ages go on between events.
	eval[bool](p, `(window.ages = new Set(), new MutationObserver(() => ages.add(`+find+`.querySelector(".age b").textContent)).observe(`+
		find+`, { subtree: true, childList: true }), true)`)
	p.wait(`ages.size > 3`)

	// What is new is offered, and shown when asked for.
	tx := s.checkout(context.Background())
	p.wait(`document.querySelector("[data-show]").innerText === "1 new, show"`)
	p.shot("live-new")
	if eval[bool](p, "Boolean("+rowOf("checkout")+")") {
		t.Error("the page was changed under the reader's eyes")
	}
	eval[bool](p, `(scrollTo(0, 60), document.querySelector("input[name=func]").value = "half typed", true)`)
	top := eval[float64](p, find+".getBoundingClientRect().top")
	p.click("[data-show]")
	p.wait(rowOf("checkout") + `?.matches(".new")`)
	p.shot("live-shown")
	if !eval[bool](p, find+".open") {
		t.Error("the finding that was open is closed")
	}
	if got := eval[string](p, `document.querySelector("input[name=func]").value`); got != "half typed" {
		t.Errorf("the form has %q", got)
	}
	if got := eval[float64](p, find+".getBoundingClientRect().top"); got < top-2 || got > top+2 {
		t.Errorf("the finding was at %v and is at %v", top, got)
	}
	if got := eval[string](p, `document.activeElement.textContent`); got != "Pause" {
		t.Errorf("the focus is on %q, want the next button", got)
	}
	p.wait(`document.querySelector("[data-show]").hidden`)

	// What is over stays, and says so.
	s.check(tx.Rollback())
	p.wait(rowOf("checkout") + `.querySelector(".badge").innerText === "over"`)
	p.shot("live-over")
}

// Whoever reads a finding goes on reading, also when it is no more among those
// that the page has room to unfold.
func TestLiveKeepsWhatIsRead(t *testing.T) {
	t.Parallel()
	s := newService(t, "orders", nil)
	s.reserve()
	s.known(tracker.KindConn, 1)
	p := newTab(t, light)
	p.live(s.url)
	p.click("summary.row")
	for i := range 12 { // as many findings, and each is of more handles
		db := s.open(fmt.Sprint("shard ", i), 2)
		s.report(db)
		s.report(db)
	}
	p.wait(`document.querySelector("[data-show]").innerText.startsWith("12 new")`)
	p.click("[data-show]")
	p.wait(`document.querySelectorAll("[id^=f-]").length === 13`)
	if n := p.count("details.finding"); n != 11 {
		t.Errorf("%d findings can be unfolded, want the first ten and the one that is", n)
	}
	if got := eval[bool](p, rowOf("reserve")+".open"); !got {
		t.Error("the finding that was open is closed")
	}
	s.reserve()
	p.wait(rowOf("reserve") + `.querySelector(".count b").textContent === "2"`)
}

// The filter of the page is that of its events.
func TestLiveFilter(t *testing.T) {
	t.Parallel()
	s := newService(t, "orders", nil)
	p := newTab(t, light)
	p.live(s.url + "?kind=rows")
	if got := p.text("[data-none]"); !strings.HasPrefix(got, "Nothing that passes") {
		t.Errorf("of no findings it says %q", got)
	}
	s.checkout(context.Background())
	s.known(tracker.KindTx, 1)
	s.findOrder()
	p.wait(`document.querySelector("[data-show]").innerText === "1 new, show"`)
	p.wait(`document.querySelector(".counts [data-live=overdue]").textContent === "0"`)
	p.wait(`document.querySelector("[data-none]").hidden`)
	p.click("[data-show]")
	p.wait(rowOf("findOrder"))
	if eval[bool](p, "Boolean("+rowOf("checkout")+")") {
		t.Error("the filter is lost")
	}
}

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

// The script says durations as the server does.
func TestWords(t *testing.T) {
	t.Parallel()
	s := newService(t, "orders", nil)
	p := newTab(t, light)
	p.live(s.url)
	var durations []time.Duration
	for d := time.Millisecond; d < 1000*24*time.Hour; d = d*21/20 + time.Millisecond {
		durations = append(durations, d, d.Truncate(time.Second), d.Truncate(time.Hour))
	}
	var seconds []float64
	for _, d := range durations {
		seconds = append(seconds, d.Seconds())
	}
	list, err := json.Marshal(seconds)
	s.check(err)
	got := eval[[]string](p, fmt.Sprintf(`import("./live.js").then(({ words }) => %s.map(words))`, list))
	for i, d := range durations {
		if want := words.Duration(d); got[i] != want {
			t.Errorf("%v is %q, and the script says %q", d, want, got[i])
		}
	}
}

// What says that there is nothing goes when there is something.
func TestLiveFromNothing(t *testing.T) {
	t.Parallel()
	s := newService(t, "", nil)
	p := newTab(t, light)
	p.live(s.url)
	if got := p.text("main"); !strings.Contains(got, "No pool is watched") {
		t.Errorf("it says %q", got)
	}
	p.shot("nothing")
	s.orders = s.open("orders", 10)
	p.wait(`document.querySelector("[data-show]").innerText === "1 new, show"`)
	p.wait(`![...document.querySelectorAll("[data-none]")].some((e) => e.checkVisibility())`)
	p.click("[data-show]")
	p.wait(`document.querySelector(".pools .name")?.textContent === "orders"`)
	s.open("archive", 10) // is no reason to look up
	s.findOrder()
	p.wait(`document.querySelector("[data-show]").innerText === "1 new, show"`)
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
