package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/httpdebug"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
)

func TestServiceThatCannotBeAsked(t *testing.T) {
	gate := httpdebug.Handler(httpdebug.Allow(func(*http.Request) (bool, bool) { return false, false }))
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			io.WriteString(w, body)
		}
	}
	json := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, body)
		}
	}
	tests := []struct {
		name  string
		serve http.HandlerFunc
		want  string
	}{
		{"gate", gate.ServeHTTP, "/debug/dbleaks/json: 403 Forbidden: refused by the function that the program gave to httpdebug.Allow; the service may let only"},
		{"other gate", status(403, "<html>no"), "403 Forbidden; the service may let only its own machine look"},
		{"login", status(401, ""), "401 Unauthorized; give user and password"},
		{"nothing there", status(404, "404 page not found"), "404 Not Found; is httpdebug mounted there?"},
		{"broken", status(500, "dbleaks: out of\x1b order\nmore"), `500 Internal Server Error: out of\x1b order`},
		{"no content", status(204, ""), "204 No Content"},
		{"HTML", status(200, "<!doctype html><title>shop</title>"), `not a dbleaks document: invalid character '<' looking for beginning of value (Content-Type "text/html"); is httpdebug mounted there?`},
		{"other JSON", json(`{"status":"UP"}`), `not a dbleaks document: it is JSON without a schema (Content-Type "application/json")`},
		{"newer schema", json(`{"schema":"dbleaks/v2"}`), `the document has schema "dbleaks/v2", this version understands "dbleaks/v1"`},
		{"cut short, length kept", json(`{"schema":"dbleaks/v1","pools":[`), "not a dbleaks document: unexpected end of JSON"},
		{"empty", json(""), "not a dbleaks document: unexpected end of JSON"},
		{"broken off", brokenOff, "the reply broke off after 10 bytes: unexpected EOF"},
		{"hangs up", hangUp, "cannot reach it: EOF"},
		{"redirected to a page", redirected, "/login: not a dbleaks document"},
		{"redirected for ever", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }, "stopped after 10 redirects"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := serve(t, tt.serve)
			for _, command := range []string{"report", "check"} {
				wantFailure(t, tt.want, command, url)
				wantFailure(t, url, command, url)
			}
		})
	}
}

func brokenOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	io.WriteString(w, `{"schema":`)
}

func hangUp(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }

func redirected(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/login" {
		http.Redirect(w, r, "/login", http.StatusFound)
		return
	}
	io.WriteString(w, "<html>Who are you?")
}

func TestOversizedReply(t *testing.T) {
	req, err := parseArgs("report", []string{service(t, reporttest.Snapshot())})
	if err != nil {
		t.Fatal(err)
	}
	data, _, err := fetch(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	req.limit = int64(len(data))
	if _, _, err = fetch(t.Context(), req); err != nil {
		t.Errorf("a reply of just the limit: %v", err)
	}
	req.limit--
	if _, _, err = fetch(t.Context(), req); err == nil || !strings.Contains(err.Error(), "bytes; narrow it with filters") {
		t.Errorf("a reply of one byte more: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	wantFailure(t, "http://"+addr+"/debug/dbleaks/json: cannot reach it: dial tcp", "check", addr)
}

func TestTimeout(t *testing.T) {
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	wantFailure(t, "no complete answer within 50ms (-timeout)", "check", url, "-timeout", "50ms")
	url = serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "{")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	wantFailure(t, "no complete answer within 50ms (-timeout)", "report", url, "-timeout", "50ms")
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	var stdout, stderr bytes.Buffer
	if status := run(ctx, []string{"check", url}, &stdout, &stderr); status != exitError || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("status %d, %s", status, &stderr)
	}
}

// A password in the URL is used, and never shown.
func TestPassword(t *testing.T) {
	addr := strings.TrimPrefix(serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "dbleaks: user %s with %d letters\n", user, len(password))
	}), "http://")
	wantFailure(t, "user me with 6 letters", "check", "http://me:s3cr3t@"+addr)
	for _, url := range []string{
		"http://me:s3cr3t@" + addr, "ftp://me:s3cr3t@host", "http://me:s3cr3t@host:port", "http://me:s3cr3t@127.0.0.1:1",
	} {
		if _, _, stderr := call(t, "check", url); strings.Contains(stderr, "s3cr3t") {
			t.Errorf("%s: %s", url, stderr)
		}
	}
}

func TestWriteError(t *testing.T) {
	url := service(t, reporttest.Snapshot())
	for _, args := range [][]string{{"report", url}, {"report", "-json", url}, {"check", url}, {"help"}} {
		r, w := io.Pipe()
		r.Close()
		var stderr bytes.Buffer
		if status := run(t.Context(), args, w, &stderr); status != exitError || !strings.Contains(stderr.String(), "closed pipe") {
			t.Errorf("%q: status %d, %s", args[0], status, &stderr)
		}
	}
}

func TestWrongArguments(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{nil, "nothing to do: give doctor, report, check, version or help"},
		{[]string{"repotr"}, `no command "repotr"`},
		{[]string{"report"}, "report: give the URL of a service"},
		{[]string{"check", "a", "b"}, "check: give one URL, not 2: a b"},
		{[]string{"check", "localhost", "-x"}, "check: flag provided but not defined: -x; see dbleaks help"},
		{[]string{"check", "localhost", "-json"}, "not defined: -json"},
		{[]string{"check", "localhost", "-timeout", "5"}, `invalid value "5" for flag -timeout`},
		{[]string{"check", "localhost", "-timeout", "0s"}, "-timeout 0s: give a time to wait"},
		{[]string{"check", "localhost", "-timeout=-1s"}, "-timeout -1s"},
		{[]string{"check", "localhost", "-kind", "x"}, `check: -kind: "x" is none of db, conn`},
		{[]string{"check", "localhost", "-min-age", "90"}, `check: -min-age: "90" is no duration`},
		{[]string{"check", "localhost", "-state", "open"}, `"open" is never an alarm`},
		{[]string{"check", "localhost/?state=recovered"}, `"recovered" is never an alarm`},
		{[]string{"report", "localhost/?kind=%zz"}, "the query of the URL can't be read"},
		{[]string{"report", "ftp://localhost"}, "ftp://localhost: the URL must begin with http:// or https://"},
		{[]string{"report", "http://"}, `"http://": the URL names no host`},
		{[]string{"report", ""}, "names no host"},
		{[]string{"report", "http://a b/"}, "the URL can't be read"},
	}
	for _, tt := range tests {
		wantFailure(t, tt.want, tt.args...)
	}
}

func TestDocumentURL(t *testing.T) {
	tests := []struct{ in, want string }{
		{"localhost:6060", "http://localhost:6060/debug/dbleaks/json"},
		{"localhost", "http://localhost/debug/dbleaks/json"},
		{":6060", "http://localhost:6060/debug/dbleaks/json"},
		{"[::1]:6060", "http://[::1]:6060/debug/dbleaks/json"},
		{"http://host:6060", "http://host:6060/debug/dbleaks/json"},
		{"http://host:6060/", "http://host:6060/debug/dbleaks/json"},
		{"https://host/debug/dbleaks", "https://host/debug/dbleaks/json"},
		{"https://host/debug/dbleaks/", "https://host/debug/dbleaks/json"},
		{"host/debug/dbleaks/json", "http://host/debug/dbleaks/json"},
		{"host/debug/dbleaks/text?pool=a", "http://host/debug/dbleaks/json?pool=a"},
		{"host/debug/dbleaks/pprof#x", "http://host/debug/dbleaks/json"},
		{"host/internal/leaks/", "http://host/internal/leaks/json"},
		{"host/internal/json/", "http://host/internal/json/json"},
		{"http://me:pw@host", "http://me:pw@host/debug/dbleaks/json"},
	}
	for _, tt := range tests {
		got, err := documentURL(tt.in, "json")
		if err != nil || got.String() != tt.want {
			t.Errorf("%q: %v, error %v; want %s", tt.in, got, err, tt.want)
		}
	}
}

func FuzzDocumentURL(f *testing.F) {
	f.Add("localhost:6060")
	f.Add("http://[::1%25lo]:1/a/../json?x#y")
	f.Fuzz(func(t *testing.T, arg string) {
		u, err := documentURL(arg, "json")
		if err != nil {
			return
		}
		if u.Host == "" || !strings.HasSuffix(u.Path, "/json") {
			t.Errorf("%q became %v", arg, u)
		}
		// Another host would be asked than the one that was named.
		if again, err := url.Parse(u.String()); err == nil && again.Host != u.Host {
			t.Errorf("%q became %v, whose host is %q", arg, u, again.Host)
		}
	})
}

// Flags mean the same before and after the URL, and win over its query.
func TestFlagsAnywhere(t *testing.T) {
	for _, args := range [][]string{
		{"-pool", "orders", "-kind=tx", "host:1?kind=rows"},
		{"-pool", "orders", "host:1?kind=rows", "-kind", "tx"},
		{"host:1?kind=rows&pool=orders", "--kind", "tx"},
	} {
		req, err := parseArgs("report", args)
		if err != nil {
			t.Errorf("%q: %v", args, err)
			continue
		}
		if want := "http://host:1/debug/dbleaks/json?kind=tx&pool=orders"; req.url.String() != want {
			t.Errorf("%q: %s, want %s", args, req.url, want)
		}
	}
}
