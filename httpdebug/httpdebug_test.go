package httpdebug

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

const (
	htmlType = "text/html; charset=utf-8"
	textType = "text/plain; charset=utf-8"
)

func TestEndpoints(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	tests := []struct {
		name        string
		r           *http.Request
		status      int
		contentType string
		body        string
	}{
		{"page", get(""), 200, htmlType, "<title>1 pool exhausted, 3 leaked, 2 overdue · shop · dbleaks</title>"},
		{"json", get("json"), 200, "application/json", `"schema": "dbleaks/v1"`},
		{"text", get("text"), 200, textType, "FINDINGS\n"},
		{"pprof", get("pprof"), 200, "application/octet-stream", "\x1f\x8b"},
		{"style", get("style.css"), 200, "text/css; charset=utf-8", "color-scheme"},
		{"script", get("live.js"), 200, "text/javascript; charset=utf-8", "EventSource"},
		{"events, once", get("events?kind=tx"), 200, "application/json", `{"full":true,"process":"4711 `},
		{"wrong events", get("events?kind=x"), 400, textType, "parameter kind"},
		{"icon", get("icon.svg"), 200, "image/svg+xml", "<svg"},
		{"help", get("help"), 200, htmlType, "<h1>What the words mean</h1>"},
		{"page of one", get("?id=f1"), 200, htmlType, `<a href="text?id=f1">`},
		{"text of one", get("text?id=f1"), 200, textType, "Only what passes the filter id=f1."},
		{"json of one", get("json?id=f1"), 200, "application/json", `"filter": "id=f1"`},
		{"filtered page", get("?kind=tx"), 200, htmlType, `<a href="json?kind=tx">`},
		{"filtered json", get("json?state=leaked"), 200, "application/json", `"filter": "state=leaked"`},
		{"unknown", get("nothing"), 404, textType, "there is nothing at /debug/dbleaks/nothing"},
		{"unknown lists what there is", get("nothing"), 404, textType, "    pprof   the same for go tool pprof\n"},
		{"below an endpoint", get("json/x"), 404, textType, "nothing at"},
		{"folder", get("x/"), 404, textType, "nothing at"},
		{"template", get("page.html"), 404, textType, "nothing at"},
		{"out of the folder", get("../../x"), 404, textType, "nothing at"},
		{"wrong kind", get("?kind=x"), 400, textType, `dbleaks: parameter kind: "x" is none of db,`},
		{"wrong age", get("json?min_age=1"), 400, textType, `dbleaks: parameter min_age: "1" is no duration`},
		{"wrong state", get("text?state=x"), 400, textType, "dbleaks: parameter state:"},
		{"wrong id", get("?id=%22%3E"), 400, textType, `dbleaks: parameter id: "\">" is no ID of a finding`},
		{"no self-test", get("selftest"), 404, textType, "dbleaks: the program has given no self-test"},
		{"pool twice", get("pprof?pool=a&pool=b"), 400, textType, "dbleaks: parameter pool: given 2 times"},
		{"malformed query", get("?kind=%zz"), 400, textType, "dbleaks: the query string is malformed"},
		{"wrong seconds", get("pprof?seconds=x"), 400, textType, `dbleaks: parameter seconds: "x" is no number`},
		{"POST", request("POST", prefix), 405, textType, "dbleaks: POST is not possible here"},
		{"DELETE", request("DELETE", prefix+"json"), 405, textType, "GET or HEAD"},
		{"OPTIONS", request("OPTIONS", prefix), 405, textType, "GET or HEAD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := serve(h, tt.r)
			wantStatus(t, w, tt.status)
			if got := w.Header().Get("Content-Type"); got != tt.contentType {
				t.Errorf("content type %q, want %q", got, tt.contentType)
			}
			if !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("no %q in %.500s", tt.body, w.Body)
			}
			if tt.status == 405 && w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow: %q", w.Header().Get("Allow"))
			}
		})
	}
}

func TestHeadersAreOnEveryAnswer(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	outside := get("")
	outside.RemoteAddr = "192.0.2.1:40000"
	for name, r := range map[string]*http.Request{
		"page": get(""), "json": get("json"), "pprof": get("pprof"), "style": get("style.css"),
		"403": outside, "404": get("x"), "405": request("PUT", prefix), "400": get("?kind=x"),
	} {
		header := serve(h, r).Header()
		for key, want := range map[string]string{
			"Cache-Control":                "no-store",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Referrer-Policy":              "no-referrer",
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
		} {
			if got := header.Get(key); got != want {
				t.Errorf("%s: %s is %q, want %q", name, key, got, want)
			}
		}
		csp := header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: no %s in %q", name, want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || !strings.Contains(csp, "script-src 'self'; connect-src 'self';") {
			t.Errorf("%s: the policy %q lets more run than the page's script", name, csp)
		}
	}
}

func TestHead(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	for _, target := range []string{"", "json", "text", "pprof", "pprof?seconds=3000", "style.css", "live.js", "events", "x"} {
		full, head := serve(h, get(strings.TrimSuffix(target, "?seconds=3000"))), serve(h, request("HEAD", prefix+target))
		if head.Code != full.Code || head.Body.Len() != 0 {
			t.Errorf("%s: status %d with %d bytes, want %d with none", target, head.Code, head.Body.Len(), full.Code)
		}
		if got, want := head.Header().Get("Content-Length"), full.Header().Get("Content-Length"); got != want {
			t.Errorf("%s: length %s, want %s", target, got, want)
		}
	}
}

func TestNegotiation(t *testing.T) {
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
	h := testHandler(reporttest.Snapshot())
	tests := []struct {
		agent, accept string
		want          string
	}{
		{"Mozilla/5.0", browser, htmlType},
		{"Mozilla/5.0", "", htmlType},
		{"curl/8.9.1", "*/*", textType},
		{"curl/8.9.1", "", textType},
		{"Wget/1.24", "*/*", textType},
		{"curl/8.9.1", "text/html", htmlType},
		{"Mozilla/5.0", "text/plain", textType},
		{"anything", "text/plain;q=0.5, text/html;q=0.4", textType},
		{"anything", "text/plain;q=0.5, text/html", htmlType},
		{"anything", "text/plain;q=0, text/html", htmlType},
		{"anything", "text/plain;q=nonsense", textType},
		{"anything", ";;;", htmlType},
	}
	for _, tt := range tests {
		w := serve(h, get("", "User-Agent", tt.agent, "Accept", tt.accept))
		if got := w.Header().Get("Content-Type"); got != tt.want {
			t.Errorf("%s, Accept %q: %s, want %s", tt.agent, tt.accept, got, tt.want)
		}
		if got := w.Header().Get("Vary"); got != "Accept, User-Agent" {
			t.Errorf("Vary: %q", got)
		}
	}
}

// However the handler is mounted, the links of its page lead back to it.
func TestMounting(t *testing.T) {
	mount := func(pattern string, h http.Handler) *http.ServeMux {
		mux := http.NewServeMux()
		mux.Handle(pattern, h)
		return mux
	}
	registered := http.NewServeMux()
	Register(registered)
	tests := []struct {
		name string
		mux  *http.ServeMux
		path string
	}{
		{"Register", registered, "/debug/dbleaks/"},
		{"any path", mount("/internal/leaks/", Handler()), "/internal/leaks/"},
		{"StripPrefix", mount("/leaks/", http.StripPrefix("/leaks", Handler())), "/leaks/"},
		{"StripPrefix with its slash", mount("/leaks/", http.StripPrefix("/leaks/", Handler())), "/leaks/"},
		{"root", mount("/", Handler()), "/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page := serve(tt.mux, request("GET", tt.path))
			wantStatus(t, page, 200)
			if got := page.Header().Get("Content-Type"); got != htmlType {
				t.Errorf("content type %q", got)
			}
			if want := "go tool pprof &#39;http://localhost:6060" + tt.path + "pprof&#39;"; !strings.Contains(page.Body.String(), want) {
				t.Errorf("no %q in the page", want)
			}
			for _, link := range []string{"json", "text", "pprof", "style.css", "icon.svg"} {
				if !strings.Contains(page.Body.String(), `href="`+link+`"`) {
					t.Errorf("the page doesn't link to %q", link)
				}
				wantStatus(t, serve(tt.mux, request("GET", tt.path+link)), 200)
			}
			wantStatus(t, serve(tt.mux, request("GET", tt.path+"other")), 404)
		})
	}
}

func TestRegisterWithoutSlash(t *testing.T) {
	mux := http.NewServeMux()
	Register(mux)
	w := serve(mux, request("GET", "/debug/dbleaks"))
	if got := w.Header().Get("Location"); got != prefix {
		t.Errorf("status %d to %q, want a redirect to %q", w.Code, got, prefix)
	}
}

// What someone copies into a shell is one word there.
func TestPprofLineIsOneWord(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	h.prefix = ""
	r := request("GET", "/x';touch%20y;'/?func=%27%3Bz%3B%27")
	page := serve(h, r).Body.String()
	_, line, _ := strings.Cut(page, "go tool pprof &#39;")
	line, _, _ = strings.Cut(line, "</code>")
	if word := strings.TrimSuffix(line, "&#39;"); strings.Contains(word, "&#39;") || word == line {
		t.Errorf("the address ends early: %s", line)
	}
}

func TestWithTracker(t *testing.T) {
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for name, h := range map[string]http.Handler{
		"given":   Handler(WithTracker(tr), nil),
		"default": Handler(WithTracker(nil), Allow(nil)),
	} {
		w := serve(h, get("json"))
		wantStatus(t, w, 200)
		d, err := report.Decode(w.Body.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := tracker.Default().Snapshot().Since
		if name == "given" {
			want = tr.Snapshot().Since
		}
		if !d.Since.Equal(want) {
			t.Errorf("%s: since %v, want %v", name, d.Since, want)
		}
		if d.Process.PID == 0 || d.Process.GoVersion == "" || d.Process.Program == "" {
			t.Errorf("%s: the process is %+v", name, d.Process)
		}
	}
}
