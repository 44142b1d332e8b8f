package httpdebug

import (
	"context"
	"errors"
	"log"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// untested is a snapshot of a tracker that was not asked to test itself.
func untested() tracker.Snapshot {
	s := reporttest.Quiet()
	s.TakenAt, s.SelfTest = time.Now(), nil
	return s
}

func TestSelfTest(t *testing.T) {
	tests := []struct {
		name      string
		err       error
		sensitive bool
		body      string // of the answer
		page      string // what the page says then
	}{
		{name: "passed", body: "dbleaks: self-test passed in 40ms\n", page: "not run yet"},
		{name: "failed", err: errors.New("SELECT <b>1"), body: "dbleaks: self-test failed\n", page: "<dd>failed, 0s ago\n"},
		{
			name: "failed, as an insider sees it", err: errors.New("SELECT <b>1"), sensitive: true,
			body: "dbleaks: self-test failed: SELECT <b>1\n", page: "<dd>failed: SELECT &lt;b&gt;1, 0s ago\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := testHandler(untested(), WithSelfTest(func(ctx context.Context) error {
					if left, ok := ctx.Deadline(); !ok || time.Until(left) != selfTestTimeout {
						t.Errorf("the context ends %v", left)
					}
					time.Sleep(40 * time.Millisecond) // in a bubble
					return tt.err
				}), Allow(func(*http.Request) (bool, bool) { return true, tt.sensitive }))
				w := serve(h, get("selftest"))
				wantStatus(t, w, 303)
				if got := w.Header().Get("Location"); got != "./#selftest" {
					t.Errorf("leads to %q", got)
				}
				if got := w.Body.String(); got != tt.body {
					t.Errorf("%q, want %q", got, tt.body)
				}
				h.snapshot = untested
				page := serve(h, get("")).Body.String()
				if !strings.Contains(page, tt.page) || !strings.Contains(page, `<form method="get" action="selftest">`) {
					t.Errorf("no %q, or no button, in\n%s", tt.page, page)
				}
			})
		})
	}
}

// What the tracker says of a self-test is told, unless a later one failed.
func TestSelfTestOfTheTracker(t *testing.T) {
	page := serve(testHandler(reporttest.Snapshot()), get("")).Body.String()
	if want := "passed 3h ago: a leak on purpose was proven (unreachable) within 5ms"; !strings.Contains(page, want) {
		t.Errorf("no %q", want)
	}
	if strings.Contains(page, `action="selftest"`) {
		t.Error("there is a button without a function to call")
	}
}

func TestSelfTestsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		h := testHandler(untested(), WithSelfTest(func(ctx context.Context) error {
			calls++
			<-ctx.Done()
			return ctx.Err()
		}))
		ctx, leave := context.WithCancel(t.Context())
		go serve(h, get("selftest").WithContext(ctx))
		synctest.Wait()
		leave() // whoever began it needn't wait
		synctest.Wait()
		refused := func(after string) {
			t.Helper()
			w := serve(h, get("selftest"))
			wantStatus(t, w, 429)
			if got := w.Header().Get("Retry-After"); got != after {
				t.Errorf("retry after %s, want %s", got, after)
			}
		}
		refused("10")
		time.Sleep(selfTestTimeout)
		synctest.Wait()
		refused("10")
		time.Sleep(selfTestPause / 2)
		refused("5")
		if calls != 1 {
			t.Errorf("called %d times", calls)
		}
		time.Sleep(selfTestPause / 2)
		wantStatus(t, serve(h, get("selftest")), 303)
	})
}

func TestSelfTestPanics(t *testing.T) {
	for name, f := range map[string]func(context.Context) error{
		"itself":       func(context.Context) error { panic("secret") },
		"by its error": func(context.Context) error { return secretError{} },
	} {
		t.Run(name, func(t *testing.T) {
			var logged strings.Builder
			h := testHandler(untested(), Allow(everything), WithSelfTest(f))
			r := get("selftest")
			r = r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, &http.Server{ErrorLog: log.New(&logged, "", 0)}))
			w := serve(h, r)
			wantStatus(t, w, 303)
			for _, body := range []string{w.Body.String(), serve(h, get("")).Body.String()} {
				if !strings.Contains(body, "panicked") || strings.Contains(body, "secret") {
					t.Errorf("the answer is %q", body)
				}
			}
			if !strings.Contains(logged.String(), "panicked: secret") {
				t.Errorf("the log is %q", logged.String())
			}
		})
	}
}

// secretError panics, as does a method of a nil error that looks into it.
type secretError struct{}

func (secretError) Error() string { panic("secret") }

func TestSelfTestIsRefused(t *testing.T) {
	called := false
	run := WithSelfTest(func(context.Context) error { called = true; return nil })
	tests := []struct {
		name   string
		r      *http.Request
		opts   []Option
		status int
	}{
		{"no function", get("selftest"), nil, 404},
		{"from another site", get("selftest", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), []Option{run}, 403},
		{"HEAD", request("HEAD", prefix+"selftest"), []Option{run}, 200},
		{"POST", request("POST", prefix+"selftest"), []Option{run}, 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantStatus(t, serve(testHandler(untested(), tt.opts...), tt.r), tt.status)
			if called {
				t.Error("the function was called")
			}
		})
	}
}
