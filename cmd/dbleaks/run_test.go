package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/httpdebug"
	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// service answers like httpdebug with a snapshot, at every path.
func service(t *testing.T, s tracker.Snapshot) string {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		f, err := report.ParseFilter(r.URL.Query())
		if err != nil {
			http.Error(w, "dbleaks: "+err.Error(), http.StatusBadRequest)
			return
		}
		data, err := report.Build(s, f, reporttest.Process, true).EncodeJSON()
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(data)
	})
}

func serve(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return srv.URL
}

// call runs the command line.
func call(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(t.Context(), args, &out, &err)
	return status, out.String(), err.String()
}

func wantFailure(t *testing.T, want string, args ...string) {
	t.Helper()
	status, stdout, stderr := call(t, args...)
	if status != exitError || stdout != "" {
		t.Errorf("%q: status %d, printed %q", args, status, stdout)
	}
	if !strings.HasPrefix(stderr, "dbleaks: ") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
		t.Errorf("%q: want one line with %q, got %q", args, want, stderr)
	}
}

func TestReport(t *testing.T) {
	url := service(t, reporttest.Snapshot())
	tests := []struct {
		name string
		args []string
	}{
		{"report", []string{url}},
		{"report.json", []string{"--json", url}},
		{"report-filtered", []string{url, "-kind", "rows", "-min-age=1m", "-pool", "orders", "-func", "find", "-state", "leaked"}},
	}
	for _, tt := range tests {
		status, stdout, stderr := call(t, append([]string{"report"}, tt.args...)...)
		if status != exitFine || stderr != "" {
			t.Errorf("%s: status %d, %s", tt.name, status, stderr)
		}
		reporttest.Golden(t, tt.name+".txt", []byte(stdout))
	}
}

func TestCheck(t *testing.T) {
	inTrouble, quiet := service(t, reporttest.Snapshot()), service(t, reporttest.Quiet())
	full := reporttest.Quiet()
	full.Pools[0].Exhausted = reporttest.Snapshot().Pools[0].Exhausted
	exhausted := service(t, full)
	tests := []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"found", []string{inTrouble}, exitFound, "leaked (unreachable), 3 of them proven: 4 × rows in pool orders, the oldest for 2m 5s, opened at store.(*Orders).Find orders.go:42\n"},
		{"quiet", []string{quiet}, exitFine, "shop, pid 4711, go1.26.8, revision 0123456789ab+dirty: Nothing held beyond its threshold; watching 2 pools since"},
		{"filter", []string{inTrouble, "-kind=tx"}, exitFound, "overdue: 1 × tx in pool orders, for 1m 30s, opened at web.(*Server).checkout checkout.go:118\n"},
		{"exhausted, and nobody asked", []string{exhausted, "-kind", "tx"}, exitFine, "pool orders"},
		{"another is exhausted", []string{exhausted, "-pool", "archive"}, exitFine, "Nothing"},
		{"exhausted", []string{exhausted, "-pool", "orders"}, exitFound, "pool orders: 10 of 10 connections in use, none came back for 12s"},
		{"filtered out", []string{inTrouble, "-pool", "archive"}, exitFine, "watching 1 pool"},
		{"leaked only", []string{"-state", "leaked", inTrouble, "-kind", "tx"}, exitFine, "Nothing"},
		{"unknown pool", []string{inTrouble, "-pool", "nope"}, exitFine, "No pool is watched there"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := call(t, append([]string{"check"}, tt.args...)...)
			if status != tt.status || stderr != "" {
				t.Errorf("status %d, want %d; %s", status, tt.status, stderr)
			}
			if !strings.Contains(stdout, tt.want) {
				t.Errorf("no %q in %q", tt.want, stdout)
			}
		})
	}
}

// The command and the real handler understand each other.
func TestAgainstHTTPDebug(t *testing.T) {
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	mux := http.NewServeMux()
	httpdebug.Register(mux, httpdebug.WithTracker(tr))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for _, url := range []string{
		srv.URL, srv.URL + "/", strings.TrimPrefix(srv.URL, "http://"), srv.URL + "/debug/dbleaks",
		srv.URL + "/debug/dbleaks/", srv.URL + "/debug/dbleaks/json", srv.URL + "/debug/dbleaks/text",
		srv.URL + "/debug/dbleaks/pprof?kind=tx#f-1",
	} {
		for _, command := range []string{"doctor", "report", "check"} {
			if status, _, stderr := call(t, command, url); status != exitFine {
				t.Errorf("%s %s: status %d, %s", command, url, status, stderr)
			}
		}
	}
	wantFailure(t, "404 Not Found; is httpdebug mounted there?", "check", srv.URL+"/elsewhere/")
}

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"-h"}, {"--help"}, {"report", "-h"}, {"check", "--help"}} {
		status, stdout, stderr := call(t, args...)
		if status != exitFine || stdout != usage || stderr != "" {
			t.Errorf("%q: status %d, %q, %q", args, status, stdout, stderr)
		}
	}
	status, stdout, _ := call(t, "version")
	if status != exitFine || !strings.HasPrefix(stdout, "dbleaks ") || !strings.Contains(stdout, report.Schema) {
		t.Errorf("version: status %d, %q", status, stdout)
	}
}

func TestHostileService(t *testing.T) {
	url := service(t, reporttest.Hostile())
	for _, args := range [][]string{{"report", url}, {"report", "-json", url}, {"check", url}} {
		_, stdout, stderr := call(t, args...)
		if stderr != "" || strings.ContainsAny(stdout, "\x1b\x07\x00\r") || strings.Contains(stdout, "\u202e") {
			t.Errorf("%q printed %q, %q", args[0], stdout, stderr)
		}
	}
}

func TestDoctor(t *testing.T) {
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, httpdebug.Handler(httpdebug.WithTracker(tr)).ServeHTTP)
	status, stdout, stderr := call(t, "doctor", url)
	if status != exitFine || stderr != "" || !strings.Contains(stdout, "No pool is watched here") {
		t.Errorf("status %d, %s%s", status, stdout, stderr)
	}
	status, stdout, stderr = call(t, "doctor", "-json", url)
	if status != exitFine || stderr != "" || !strings.Contains(stdout, `"diagnosis": {`) {
		t.Errorf("status %d, %s%s", status, stdout, stderr)
	}
	wantFailure(t, "flag provided but not defined: -pool", "doctor", url, "-pool", "x")
	wantFailure(t, "404 Not Found; is httpdebug mounted there?", "doctor", serve(t, http.NotFound))
}
