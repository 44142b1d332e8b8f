package httpdebug

import (
	"bytes"
	"context"
	"log"
	"net/http"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
)

func TestDefaultGate(t *testing.T) {
	tests := []struct {
		remote, host string
		header       []string
		want         int
	}{
		{"127.0.0.1:40000", "localhost:6060", nil, 200},
		{"127.0.0.1:40000", "LOCALHOST", nil, 200},
		{"127.0.0.1:40000", "localhost.", nil, 200},
		{"127.0.0.1:40000", "127.0.0.1", nil, 200},
		{"127.8.8.8:40000", "127.8.8.8:1", nil, 200},
		{"[::1]:40000", "[::1]:6060", nil, 200},
		{"[::1]:40000", "[::1]", nil, 200},
		{"[::ffff:127.0.0.1]:40000", "localhost:6060", nil, 200},

		{"192.0.2.1:40000", "localhost:6060", nil, 403},
		{"10.0.0.1:40000", "10.0.0.1:6060", nil, 403},
		{"[2001:db8::1]:40000", "localhost", nil, 403},
		{"[::ffff:192.0.2.1]:40000", "localhost", nil, 403},
		{"@", "localhost", nil, 403}, // a Unix socket
		{"", "localhost", nil, 403},

		// Names that someone else may point at this machine.
		{"127.0.0.1:40000", "evil.example:6060", nil, 403},
		{"127.0.0.1:40000", "localhost.evil.example", nil, 403},
		{"127.0.0.1:40000", "evil.localhost", nil, 403},
		{"127.0.0.1:40000", "127.0.0.1.evil.example", nil, 403},
		{"127.0.0.1:40000", "2130706433", nil, 403},
		{"127.0.0.1:40000", "0.0.0.0:6060", nil, 403},
		{"127.0.0.1:40000", "[::]:6060", nil, 403},
		{"127.0.0.1:40000", "[::1", nil, 403},
		{"127.0.0.1:40000", "192.0.2.1", nil, 403},
		{"127.0.0.1:40000", "", nil, 403},

		{"127.0.0.1:40000", "localhost", []string{"X-Forwarded-For", "127.0.0.1"}, 403},
		{"127.0.0.1:40000", "localhost", []string{"X-Forwarded-For", ""}, 403},
		{"127.0.0.1:40000", "localhost", []string{"Forwarded", "for=192.0.2.1"}, 403},
		{"127.0.0.1:40000", "localhost", []string{"X-Real-IP", "192.0.2.1"}, 403},
		{"127.0.0.1:40000", "localhost", []string{"Via", "1.1 proxy"}, 403},
	}
	h := testHandler(reporttest.Snapshot())
	for _, tt := range tests {
		for _, endpoint := range []string{"", "json", "text", "diagnosis", "pprof", "style.css"} {
			r := get(endpoint, tt.header...)
			r.RemoteAddr, r.Host = tt.remote, tt.host
			w := serve(h, r)
			if w.Code != tt.want {
				t.Errorf("%q from %s for %s with %v: status %d, want %d", endpoint, tt.remote, tt.host, tt.header, w.Code, tt.want)
			}
			if w.Code == 403 && !strings.Contains(w.Body.String(), "httpdebug.Allow") {
				t.Errorf("the refusal doesn't say how to allow it: %s", w.Body)
			}
			if got := Loopback(r); got != (tt.want == 200) {
				t.Errorf("Loopback(%s, %s, %v) = %v", tt.remote, tt.host, tt.header, got)
			}
		}
	}
}

// Who is let in by default sees no SQL text.
func TestDefaultHidesSQL(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	for _, endpoint := range []string{"", "json", "text"} {
		w := serve(h, get(endpoint))
		wantStatus(t, w, 200)
		if strings.Contains(w.Body.String(), "SELECT") {
			t.Errorf("%q shows SQL text", endpoint)
		}
	}
}

// A refused visitor learns nothing but how to get in.
func TestRefusalsKnowNothing(t *testing.T) {
	r := get("nothing-here?kind=x")
	r.Method, r.RemoteAddr = "DELETE", "192.0.2.1:1\x1b"
	w := serve(testHandler(reporttest.Snapshot()), r)
	wantStatus(t, w, 403)
	if strings.Contains(w.Body.String(), "orders") || strings.Contains(w.Body.String(), "\x1b") {
		t.Errorf("body: %q", w.Body)
	}
	reporttest.Golden(t, "forbidden.txt", w.Body.Bytes())
}

func TestAllow(t *testing.T) {
	tests := []struct {
		view, sensitive bool
		status          int
		sql             bool
	}{
		{false, false, 403, false},
		{false, true, 403, false},
		{true, false, 200, false},
		{true, true, 200, true},
	}
	for _, tt := range tests {
		h := testHandler(reporttest.Snapshot(), Allow(func(*http.Request) (bool, bool) { return tt.view, tt.sensitive }))
		for _, endpoint := range []string{"", "json", "text"} {
			r := get(endpoint)
			r.RemoteAddr, r.Host = "192.0.2.1:40000", "shop.example"
			w := serve(h, r)
			wantStatus(t, w, tt.status)
			if got := strings.Contains(w.Body.String(), "SELECT"); got != tt.sql {
				t.Errorf("%q with %v: SQL text is shown: %v", endpoint, tt, got)
			}
		}
	}
}

func TestAllowPanics(t *testing.T) {
	var logged bytes.Buffer
	srv := &http.Server{ErrorLog: log.New(&logged, "", 0)}
	r := get("json")
	r = r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, srv))
	w := serve(testHandler(reporttest.Snapshot(), Allow(func(*http.Request) (bool, bool) { panic("the secret") })), r)
	wantStatus(t, w, 500)
	if body := w.Body.String(); strings.Contains(body, "secret") || strings.Contains(body, "orders") {
		t.Errorf("the visitor is told: %s", body)
	}
	if !strings.Contains(logged.String(), "the secret") {
		t.Errorf("the log lacks the panic: %s", &logged)
	}
}

func TestCrossSite(t *testing.T) {
	const site, mode, dest = "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"
	tests := []struct {
		endpoint string
		header   []string
		want     int
	}{
		{"json", []string{site, "none"}, 200},
		{"json", []string{site, "same-origin", mode, "cors"}, 200},
		{"json", []string{site, "same-site"}, 403},
		{"json", []string{site, "cross-site", mode, "no-cors", dest, "script"}, 403},
		{"", []string{site, "cross-site"}, 403},
		{"", []string{site, "cross-site", mode, "navigate", dest, "iframe"}, 403},
		{"", []string{site, "cross-site", mode, "no-cors", dest, "image"}, 403},
		{"", []string{site, "none", site, "cross-site"}, 403},
		{"", []string{site, "unheard-of"}, 403},
		// A plain link to the page.
		{"", []string{site, "cross-site", mode, "navigate", dest, "document"}, 200},
		{"?kind=tx", []string{site, "same-site", mode, "navigate", dest, "document"}, 200},
		{"json", []string{site, "cross-site", mode, "navigate", dest, "document"}, 403},
		{"pprof", []string{site, "cross-site", mode, "navigate", dest, "document"}, 403},
		{"events", []string{site, "cross-site", mode, "cors", dest, "empty"}, 403},
		{"live.js", []string{site, "cross-site", mode, "no-cors", dest, "script"}, 403},
		{"live.js", []string{site, "same-origin", mode, "cors", dest, "script"}, 200},
		// Browsers without Sec-Fetch-Site.
		{"json", []string{"Origin", "http://evil.example"}, 403},
		{"json", []string{"Origin", "null"}, 403},
		{"json", []string{"Origin", "http://localhost:6060"}, 200},
		{"json", []string{"Origin", "http://localhost:8080"}, 403},
	}
	for _, opts := range [][]Option{nil, {Allow(everything)}} {
		h := testHandler(reporttest.Snapshot(), opts...)
		for _, tt := range tests {
			w := serve(h, get(tt.endpoint, tt.header...))
			if w.Code != tt.want {
				t.Errorf("%q with %q: status %d, want %d", tt.endpoint, tt.header, w.Code, tt.want)
			}
		}
	}
}
