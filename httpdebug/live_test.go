package httpdebug

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// changing is a handler whose snapshots a test changes.
type changing struct {
	*handler
	mu    sync.Mutex
	now   tracker.Snapshot
	taken int
}

func newChanging(opts ...Option) *changing {
	c := &changing{now: reporttest.Snapshot()}
	c.handler = testHandler(c.now, opts...)
	c.handler.snapshot = func() tracker.Snapshot {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.taken++
		return c.now
	}
	return c
}

func (c *changing) change(f func(s *tracker.Snapshot)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.Findings = slices.Clone(c.now.Findings)
	c.now.Open = slices.Clone(c.now.Open)
	c.now.Pools = slices.Clone(c.now.Pools)
	f(&c.now)
}

func (c *changing) snapshots() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken
}

// listener is a client of a stream, as its response writer.
type listener struct {
	header http.Header
	status int
	mu     sync.Mutex // guards events
	events []liveEvent
	ended  chan bool // closed after the handler has returned
	cancel context.CancelFunc
	// fails is what writing gives; slow is how long it takes.
	fails error
	slow  time.Duration
}

func (l *listener) Header() http.Header    { return l.header }
func (l *listener) WriteHeader(status int) { l.status = status }
func (l *listener) Flush()                 {}

func (l *listener) Write(p []byte) (int, error) {
	<-time.After(l.slow)
	if data, ok := strings.CutPrefix(strings.TrimPrefix(string(p), "retry: 1000\n"), "data: "); ok {
		var e liveEvent
		if err := json.Unmarshal([]byte(data), &e); err != nil || !strings.HasSuffix(data, "\n\n") {
			return 0, errors.Join(err, errors.New("malformed: "+data))
		}
		l.mu.Lock()
		l.events = append(l.events, e)
		l.mu.Unlock()
	}
	return len(p), l.fails
}

func (l *listener) last() liveEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events[len(l.events)-1]
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events)
}

// listen starts a stream. It must be in a bubble of synctest.
func listen(t *testing.T, h http.Handler, query string) *listener {
	l := &listener{header: http.Header{}, ended: make(chan bool)}
	l.start(t, h, query)
	return l
}

func (l *listener) start(t *testing.T, h http.Handler, query string) {
	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	go func() {
		defer close(l.ended)
		h.ServeHTTP(l, get("events"+query, "Accept", "text/event-stream").WithContext(ctx))
	}()
	synctest.Wait()
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestLiveEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newChanging(Allow(everything))
		all, archive := listen(t, h, ""), listen(t, h, "?pool=archive")
		if got := all.header.Get("Content-Type"); got != "text/event-stream" {
			t.Fatalf("content type %q", got)
		}
		first := all.last()
		if !first.Full || first.Process == "" || first.Items["bar"]["leaked"] != "3" || first.Items["f-f1"]["count"] != "4" {
			t.Errorf("the first event is %+v", first)
		}
		for name := range archive.last().Items {
			if strings.HasPrefix(name, "f-") {
				t.Errorf("the filter lets %s through", name)
			}
		}

		pass(liveTick)
		if e := all.last(); all.count() != 2 || e.Full || len(e.Items)+len(e.Over) > 0 {
			t.Errorf("nothing has changed, and the events are %+v", all.last())
		}

		h.change(func(s *tracker.Snapshot) {
			s.TakenAt = s.TakenAt.Add(liveTick)
			for i := range s.Findings {
				s.Findings[i].Age += liveTick
			}
			for i := range s.Open {
				s.Open[i].Age += liveTick
			}
			s.Findings[0].Count++
			s.Findings = append(s.Findings[:1], tracker.Finding{ID: "new", State: tracker.StateOverdue, Pool: "orders", Count: 1})
			s.Pools[0].Idle = 7
		})
		pass(liveTick)
		e := all.last()
		if got := e.Items["f-f1"]; got["count"] != "5" || got["state"] != "" {
			t.Errorf("of a finding whose count has changed it says %v", got)
		}
		for id, got := range e.Items {
			if strings.HasPrefix(id, anchorOpen) {
				t.Errorf("of %s, which is only older, it says %v", id, got)
			}
		}
		if got := e.Items["f-new"]; got["state"] != "overdue" || got["age"] == "" {
			t.Errorf("of a new finding it says %v", got)
		}
		if !slices.Equal(e.Over, []string{"f-f2"}) {
			t.Errorf("over are %v", e.Over)
		}
		pools := 0
		for name, texts := range e.Items {
			if strings.HasPrefix(name, "p-") {
				pools++
				if len(texts) != 1 || texts["idle"] != "7" {
					t.Errorf("of a pool with other idle connections it says %v", texts)
				}
			}
		}
		if pools != 1 {
			t.Errorf("%d pools changed, want 1", pools)
		}
		all.cancel()
		archive.cancel()
		<-all.ended
		<-archive.ended
	})
}

// The page counts on from the age that it knows, unless the oldest handle is
// another one.
func TestLiveAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newChanging()
		l := listen(t, h, "")
		h.change(func(s *tracker.Snapshot) {
			s.Findings[0].OpenedAt, s.Findings[0].Age = s.TakenAt.Add(-9*time.Second), 9*time.Second
		})
		pass(liveTick)
		if got := l.last().Items["f-f1"]; got["age"] != "9.0" || got["count"] != "" {
			t.Errorf("of a finding with another oldest handle it says %v", got)
		}
		l.cancel()
	})
}

// However many listen, a tick takes one snapshot; when nobody does, none is
// taken or kept, and no goroutine is left, or the bubble would not end.
func TestLiveSharesSnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newChanging()
		var all []*listener
		for range 10 {
			all = append(all, listen(t, h, ""))
			pass(liveTick / 20)
		}
		const ticks = 20
		pass(ticks * liveTick)
		if n := h.snapshots(); n < ticks || n > 3*ticks/2 {
			t.Errorf("%d snapshots in %d ticks", n, ticks)
		}
		for _, l := range all {
			if l.count() < ticks {
				t.Errorf("%d events in %d ticks", l.count(), ticks)
			}
			l.cancel()
		}
		synctest.Wait()
		n := h.snapshots()
		pass(time.Hour)
		if h.snapshots() != n {
			t.Errorf("%d snapshots while nobody listened", h.snapshots()-n)
		}
		if h.live.streams != 0 || h.live.shared.Findings != nil {
			t.Errorf("%d streams and a snapshot with %d findings are left", h.live.streams, len(h.live.shared.Findings))
		}
	})
}

func TestLiveEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t, newChanging(), "")
		pass(liveLength + liveTick)
		select {
		case <-l.ended:
		default:
			t.Error("the stream goes on")
		}
	})
}

func TestLiveLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newChanging()
		var all []*listener
		for range maxStreams {
			all = append(all, listen(t, h, ""))
		}
		more := listen(t, h, "")
		if more.status != http.StatusServiceUnavailable || more.header.Get("Retry-After") != "120" {
			t.Errorf("status %d, Retry-After %q", more.status, more.header.Get("Retry-After"))
		}
		wantStatus(t, serve(h, get("events")), 200) // polling
		all[0].cancel()
		<-all[0].ended
		if again := listen(t, h, ""); again.count() != 1 {
			t.Error("no place became free")
		}
	})
}

// Who may see SQL text sees it on the page, not in events.
func TestLiveHasNoQueries(t *testing.T) {
	h := testHandler(reporttest.Snapshot(), Allow(everything))
	if page := serve(h, get("")).Body.String(); !strings.Contains(page, "SELECT id FROM orders") {
		t.Fatal("the page has no query")
	}
	if body := serve(h, get("events")).Body.String(); strings.Contains(body, "SELECT") {
		t.Errorf("a query in %s", body)
	}
}

// Every item of the events is on the page, and those that aren't rows have
// every text of theirs.
func TestLiveMatchesPage(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	page := serve(h, get("")).Body.String()
	for id, texts := range h.liveState(h.snapshot(), report.Filter{}).event().Items {
		_, item, ok := strings.Cut(page, `id="`+id+`"`)
		if !ok {
			t.Errorf("nothing on the page is %s", id)
			continue
		}
		if strings.HasPrefix(id, anchorFinding) || strings.HasPrefix(id, anchorOpen) {
			continue
		}
		if i := strings.Index(item, ` id="`); i >= 0 {
			item = item[:i]
		}
		for name := range texts {
			if name != "title" && !strings.Contains(item, `data-live="`+name+`"`) {
				t.Errorf("%s has no %s on the page", id, name)
			}
		}
	}
}
