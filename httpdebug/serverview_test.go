package httpdebug

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// server is one that can be asked.
type server struct {
	asked, inside atomic.Int32
	// ask, if set, is what takes its time.
	ask func(context.Context)
}

func (s *server) ServerView(ctx context.Context, t *tracker.Tracker) report.ServerView {
	s.asked.Add(1)
	if s.inside.Add(1) > 1 {
		panic("asked by two at a time")
	}
	defer s.inside.Add(-1)
	if t == nil {
		panic("asked for no tracker")
	}
	if s.ask != nil {
		s.ask(ctx)
	}
	return reporttest.ServerView()
}

func serverHandler(s *server, opts ...Option) *handler {
	h := testHandler(reporttest.Snapshot(), append(opts, WithServerView(s))...)
	h.tracker, _ = tracker.New()
	return h
}

func TestDiagnosisServerView(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opts   []Option
		target string
		asked  int32
		says   string
		hides  string
	}{
		{"the diagnosis asks", nil, "diagnosis", 1, "In the server, 2 sessions wait for connection 3026", "UPDATE stock"},
		{"statements for the sensitive", []Option{Allow(everything)}, "diagnosis", 1, "sql: UPDATE stock SET n = ?", "no such thing"},
		{"the text doesn't", nil, "text", 0, "leaked", "3026"},
		{"nor the document", nil, "json", 0, "leaked", "3026"},
		{"nor who may not look", []Option{Allow(func(*http.Request) (bool, bool) { return false, false })}, "diagnosis", 0, "refused", "3026"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s server
			body := serve(serverHandler(&s, tt.opts...), get(tt.target)).Body.String()
			if n := s.asked.Load(); n != tt.asked {
				t.Errorf("asked %d times, want %d", n, tt.asked)
			}
			if !strings.Contains(body, tt.says) || strings.Contains(body, tt.hides) {
				t.Errorf("want %q and not %q in\n%s", tt.says, tt.hides, body)
			}
		})
	}
}

func TestNoServerView(t *testing.T) {
	h := testHandler(reporttest.Snapshot(), WithServerView(&server{}), WithServerView(nil))
	h.tracker, _ = tracker.New()
	w := serve(h, get("diagnosis", "Accept", "application/json"))
	wantStatus(t, w, 200)
	if strings.Contains(w.Body.String(), "server_view") {
		t.Errorf("nobody was to be asked:\n%s", w.Body)
	}
}

// Visitors share a look, and the next one is not before a second has passed. It
// ends in time, but not because a visitor leaves.
func TestServerViewIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := server{ask: func(ctx context.Context) {
			<-ctx.Done()
			if ctx.Err() != context.DeadlineExceeded {
				t.Errorf("the look ended early: %v", ctx.Err())
			}
		}}
		h := serverHandler(&s)
		start := time.Now()
		var visitors sync.WaitGroup
		for range 5 {
			visitors.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				h.servers.look(ctx, h.tracker)
			})
		}
		visitors.Wait()
		if took := time.Since(start); took != serverTimeout || s.asked.Load() != 1 {
			t.Errorf("asked %d times in %v", s.asked.Load(), took)
		}
		s.ask = nil
		for _, want := range []int32{1, 1, 2} {
			if h.servers.look(t.Context(), h.tracker); s.asked.Load() != want {
				t.Errorf("%v later, asked %d times, want %d", time.Since(start), s.asked.Load(), want)
			}
			time.Sleep(serverSharedFor / 2)
		}
	})
}
