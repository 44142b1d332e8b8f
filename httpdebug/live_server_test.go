package httpdebug

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
)

// A stream that must go on is followed for some ticks of this length.
const shortTick = 20 * time.Millisecond

// serveLive starts a server whose pages tick fast. change may be nil.
func serveLive(t *testing.T, tick time.Duration, wrap func(http.Handler) http.Handler, change func(*httptest.Server)) *httptest.Server {
	h := testHandler(reporttest.Snapshot())
	h.live.tick, h.live.length = tick, 20*time.Second
	var handler http.Handler = h
	if wrap != nil {
		handler = wrap(h)
	}
	s := httptest.NewUnstartedServer(handler)
	if change != nil {
		change(s)
	}
	if s.EnableHTTP2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// askEvents asks for events and returns the answer.
func askEvents(t *testing.T, s *httptest.Server) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+prefix+"events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	w, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Body.Close() })
	return w
}

// readEvents reads so many events and fails the test if there are fewer.
func readEvents(t *testing.T, w *http.Response, n int) *bufio.Scanner {
	t.Helper()
	if w.StatusCode != 200 {
		t.Fatalf("status %s", w.Status)
	}
	lines := bufio.NewScanner(w.Body)
	lines.Buffer(nil, 1<<20)
	for n > 0 {
		if !lines.Scan() {
			t.Fatalf("the stream ends %d events early: %v", n, lines.Err())
		}
		if isEvent(lines.Text()) {
			n--
		}
	}
	return lines
}

func isEvent(line string) bool { return strings.HasPrefix(line, "data: {") }

func http2(s *httptest.Server) { s.EnableHTTP2 = true }

// A server that shuts down waits for all requests, but not for streams.
func TestLiveLetsServersShutDown(t *testing.T) {
	for name, change := range map[string]func(*httptest.Server){"HTTP/1.1": nil, "HTTP/2": http2} {
		t.Run(name, func(t *testing.T) {
			s := serveLive(t, shortTick, nil, change)
			first, second := askEvents(t, s), askEvents(t, s)
			if want := name + ".0"; !strings.HasPrefix(want, first.Proto) {
				t.Fatalf("the protocol is %s", first.Proto)
			}
			a, b := readEvents(t, first, 3), readEvents(t, second, 3)
			done := make(chan error)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			began := time.Now()
			go func() { done <- s.Config.Shutdown(ctx) }()
			for a.Scan() || b.Scan() {
			}
			if a.Err() != nil || b.Err() != nil {
				t.Errorf("the streams don't end well: %v, %v", a.Err(), b.Err())
			}
			if err := <-done; err != nil {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			if err := s.Config.Shutdown(ctx); err != nil { // once more does no harm
				t.Error(err)
			}
		})
	}
}

// A server's time-outs are for answers that are not meant to last. Streams end
// before a write is cut off, and are not ended by a read.
func TestLiveWithTimeouts(t *testing.T) {
	const tick = 600 * time.Millisecond // that long a machine hardly stands still
	const timeout = 5 * tick
	for name, change := range map[string]func(*httptest.Server){
		"read":           func(s *httptest.Server) { s.Config.ReadTimeout = timeout },
		"read, HTTP/2":   func(s *httptest.Server) { s.Config.ReadTimeout = timeout; http2(s) },
		"header":         func(s *httptest.Server) { s.Config.ReadHeaderTimeout = timeout },
		"idle":           func(s *httptest.Server) { s.Config.IdleTimeout = timeout },
		"write":          func(s *httptest.Server) { s.Config.WriteTimeout = timeout },
		"write, HTTP/2":  func(s *httptest.Server) { s.Config.WriteTimeout = timeout; http2(s) },
		"write too soon": func(s *httptest.Server) { s.Config.WriteTimeout = 2 * tick },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveLive(t, tick, nil, change)
			for range 2 { // the next request on the connection is not cut off either
				w := askEvents(t, s)
				if name == "write too soon" {
					if w.StatusCode != http.StatusNotImplemented {
						t.Errorf("status %s", w.Status)
					}
					return
				}
				if !strings.HasPrefix(name, "write") {
					readEvents(t, w, 7)
					continue
				}
				lines := readEvents(t, w, 3)
				more := 0
				for lines.Scan() {
					if isEvent(lines.Text()) {
						more++
					}
				}
				if lines.Err() != nil || 3+more > int(timeout/tick) {
					t.Errorf("the stream ends after %d events: %v", 3+more, lines.Err())
				}
			}
		})
	}
}

// A middleware that knows streams lets them through; to others goes an answer
// that makes the page poll.
func TestLiveBehindMiddleware(t *testing.T) {
	tests := []struct {
		name string
		wrap func(http.Handler) http.Handler
		want int
	}{
		{"gzip that flushes", gzipped, 200},
		{"one that unwraps", wrapped(func(w http.ResponseWriter) http.ResponseWriter { return unwraps{w} }), 200},
		{"one that hides Flush", wrapped(func(w http.ResponseWriter) http.ResponseWriter { return hides{w} }), 501},
		{"http.TimeoutHandler", func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "") }, 501},
		{"a scope per request", Middleware, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := askEvents(t, serveLive(t, shortTick, tt.wrap, nil))
			if w.StatusCode != tt.want {
				t.Fatalf("status %s, want %d", w.Status, tt.want)
			}
			if tt.want == 200 {
				readEvents(t, w, 3)
				return
			}
			if got := w.Header.Get("Content-Type"); got != textType {
				t.Errorf("content type %q", got)
			}
			if body, err := io.ReadAll(w.Body); err != nil || !strings.Contains(string(body), "poll this") {
				t.Errorf("%q, %v", body, err)
			}
		})
	}
}

func wrapped(wrap func(http.ResponseWriter) http.ResponseWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(wrap(w), r) })
	}
}

type hides struct{ w http.ResponseWriter }

func (h hides) Header() http.Header         { return h.w.Header() }
func (h hides) WriteHeader(status int)      { h.w.WriteHeader(status) }
func (h hides) Write(p []byte) (int, error) { return h.w.Write(p) }

type unwraps struct{ http.ResponseWriter }

func (u unwraps) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// gzipped compresses as middleware usually does.
func gzipped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		next.ServeHTTP(zipper{w, z}, r)
		z.Close()
	})
}

type zipper struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (z zipper) Write(p []byte) (int, error) { return z.z.Write(p) }

func (z zipper) Flush() {
	z.z.Flush()
	z.ResponseWriter.(http.Flusher).Flush()
}

// Clients that go away, and servers that are closed, leave nothing behind.
func TestLiveClientsGo(t *testing.T) {
	var h *handler
	s := serveLive(t, shortTick, func(inner http.Handler) http.Handler { h = inner.(*handler); return inner }, nil)
	w := askEvents(t, s)
	readEvents(t, w, 1)
	w.Body.Close()
	readEvents(t, askEvents(t, s), 1)
	s.CloseClientConnections()
	deadline := time.After(10 * time.Second)
	for tick := time.NewTicker(shortTick); ; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d streams are left", h.live.streams)
		}
		h.live.mu.Lock()
		n := h.live.streams
		h.live.mu.Unlock()
		if n == 0 {
			return
		}
	}
}
