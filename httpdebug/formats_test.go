package httpdebug

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/pprof/profile"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func parseProfile(t *testing.T, w *httptest.ResponseRecorder) *profile.Profile {
	t.Helper()
	wantStatus(t, w, 200)
	p, err := profile.Parse(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPprofFilters(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	if n := len(parseProfile(t, serve(h, get("pprof"))).Sample); n != 5 {
		t.Errorf("%d samples, want 5", n)
	}
	p := parseProfile(t, serve(h, get("pprof?state=leaked")))
	if len(p.Sample) != 1 || p.Sample[0].Value[0] != 4 {
		t.Errorf("filtered: %v", p)
	}
}

func TestPprofSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := testHandler(tracker.Snapshot{})
		h.snapshot = growing()
		start := time.Now()
		p := parseProfile(t, serve(h, get("pprof?seconds=30")))
		if waited := time.Since(start); waited != 30*time.Second {
			t.Errorf("waited %v", waited)
		}
		if len(p.Sample) != 1 || p.Sample[0].Value[0] != 2 {
			t.Errorf("want the two handles that came meanwhile, got %v", p)
		}
	})
}

// growing has one handle more of a kind with each ten seconds.
func growing() func() tracker.Snapshot {
	start := time.Now()
	return func() tracker.Snapshot {
		s := reporttest.Snapshot()
		s.Findings = s.Findings[:1]
		s.Findings[0].Count = int(time.Since(start)/(15*time.Second)) + 1
		return s
	}
}

func TestPprofSecondsEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		w := serve(testHandler(reporttest.Snapshot()), get("pprof?seconds=30").WithContext(ctx))
		wantStatus(t, w, 503)
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v for a client that is gone", waited)
		}
	})
}

func TestPprofSecondsAndWriteTimeout(t *testing.T) {
	r := get("pprof?seconds=30")
	srv := &http.Server{WriteTimeout: 10 * time.Second}
	w := serve(testHandler(reporttest.Snapshot()), r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, srv)))
	wantStatus(t, w, 400)
	if !strings.Contains(w.Body.String(), "write timeout of 10s") {
		t.Errorf("body: %s", w.Body)
	}
}

// The real tool reads the real address.
func TestGoToolPprof(t *testing.T) {
	srv := httptest.NewServer(testHandler(reporttest.Snapshot()))
	defer srv.Close()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "pprof", "-top", "-lines", srv.URL+prefix+"pprof")
	cmd.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	if want := "store.(*Orders).Find /src/shop/store/orders.go:42"; !bytes.Contains(out, []byte(want)) {
		t.Errorf("no %q in\n%s", want, out)
	}
}

func TestDiagnosis(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	h.tracker, _ = tracker.New()
	text := serve(h, get("diagnosis"))
	wantStatus(t, text, 200)
	if body := text.Body.String(); !strings.Contains(body, "Leaked (unreachable), 3 of them proven") ||
		!strings.HasPrefix(text.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("%v\n%s", text.Header(), body)
	}
	r := get("diagnosis")
	r.Header.Set("Accept", "application/json")
	w := serve(h, r)
	wantStatus(t, w, 200)
	d, err := report.Decode(w.Body.Bytes())
	if err != nil || d.Diagnosis == nil || d.Diagnosis.Goroutines == 0 || len(d.Findings) == 0 {
		t.Errorf("%v, %+v", err, d)
	}
	w = serve(h, get("diagnosis?pool=orders"))
	wantStatus(t, w, 400)
	if !strings.Contains(w.Body.String(), "takes no filter") {
		t.Error(w.Body.String())
	}
}
