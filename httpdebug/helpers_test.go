package httpdebug

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// testHandler serves a snapshot as if it were mounted by Register.
func testHandler(s tracker.Snapshot, opts ...Option) *handler {
	h := newHandler(opts)
	h.prefix = prefix
	h.process = reporttest.Process
	h.snapshot = func() tracker.Snapshot { return s }
	h.openers = reporttest.Openers
	return h
}

// everything lets a visitor see whatever there is.
func everything(*http.Request) (view, sensitive bool) { return true, true }

// request is one from the machine itself. Each header is a name and a value.
func request(method, target string, header ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = "127.0.0.1:40000"
	r.Host = "localhost:6060"
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func get(target string, header ...string) *http.Request {
	return request(http.MethodGet, prefix+target, header...)
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func wantStatus(t *testing.T, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d; body: %.300s", w.Code, status, w.Body)
	}
}
