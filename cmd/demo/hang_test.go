package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestHang: the button exhausts three pools; the diagnosis names who holds them
// and who waits for whom, the page begins with them, and the shop goes on.
func TestHang(t *testing.T) {
	s := newShop(t)
	if w := get(t, s, "POST", "/hang"); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	get(t, s, "POST", "/hang") // again: nothing more happens
	at, err := places("HANG")
	if err != nil {
		t.Fatal(err)
	}
	line := func(f tracker.Frame) string {
		for name, p := range at {
			if strings.HasSuffix(f.File, "/"+p.file) && f.Line == p.line {
				return name
			}
		}
		return f.Function
	}
	var exhausted map[string]*tracker.Exhaustion
	for deadline := time.Now().Add(time.Minute); len(exhausted) < len(hangs); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("exhausted: %+v", exhausted)
		}
		exhausted = make(map[string]*tracker.Exhaustion)
		for _, p := range s.tracker.Snapshot().Pools {
			if p.Exhausted != nil && len(p.Exhausted.Waiters) > 0 {
				exhausted[p.Name] = p.Exhausted
			}
		}
	}
	locks := make(map[string][]string)
	for _, l := range s.tracker.Diagnose().Deadlocks {
		for _, m := range l.Members {
			said := line(m.Holds) + " " + line(m.Waits)
			if m.Behind != 0 {
				said += " " + line(m.BehindAt)
			}
			locks[m.Pool] = append(locks[m.Pool], said)
		}
		slices.Sort(locks[l.Pools[0]])
	}
	for pool, want := range map[string][]string{
		"reports":   nil,
		"checkout":  {"transaction second-connection", "transaction second-connection"},
		"catalogue": {"cache-transaction cache-lock cache-prepare", "cache-transaction cache-prepare"},
	} {
		if !slices.Equal(locks[pool], want) {
			t.Errorf("pool %s: deadlock %q, want %q", pool, locks[pool], want)
		}
		if x := exhausted[pool]; len(x.Deadlocks) != min(len(want), 1) {
			t.Errorf("pool %s: exhausted: %+v", pool, x)
		}
	}
	if h := exhausted["reports"].Holders; len(h) != 1 || line(h[0].Handles.Site) != "leaked-rows" || h[0].Handles.Count != hangConns {
		t.Errorf("reports are held by %v", h)
	}
	page, doctor := debugPage(t, s, ""), debugPage(t, s, "diagnosis")
	for _, h := range hangs {
		alarm, pools := strings.Index(page, "Pool "+h.pool+" is exhausted"), strings.Index(page, `id="pools"`)
		if alarm < 0 || alarm > pools {
			t.Errorf("the page doesn't begin with pool %s", h.pool)
		}
		if !strings.Contains(doctor, "POOL "+h.pool) {
			t.Errorf("the diagnosis doesn't have pool %s:\n%s", h.pool, doctor)
		}
	}
	if w := get(t, s, "GET", "/products/7"); w.Code != http.StatusOK {
		t.Errorf("the shop doesn't go on: %d", w.Code)
	}
}

// debugPage asks for an endpoint of dbleaks, which answers the machine itself.
func debugPage(t *testing.T, s *shop, endpoint string) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost/debug/dbleaks/"+endpoint, nil)
	r.RemoteAddr = "127.0.0.1:4711"
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	return w.Body.String()
}
