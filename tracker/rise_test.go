package tracker_test

import (
	"context"
	"database/sql"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestExhaustedGrowth: how a pool came to be exhausted is told as far as the last
// ten minutes show it.
func TestExhaustedGrowth(t *testing.T) {
	type step struct {
		line  int           // that opens rows
		after time.Duration // what was opened before
	}
	for _, tt := range []struct {
		name  string
		steps []step
		want  string // a pattern
	}{
		{"at once", []step{{0, 0}, {0, 0}, {0, 0}}, "^in use rose from 0 to 3 within 10s$"},
		{"one a minute", []step{{0, 0}, {0, time.Minute}, {1, time.Minute}}, "^in use rose from 0 to 3 within (1m [0-9]+s|2m)$"},
		{"one a minute, after a long time", []step{{0, 0}, {1, 11 * time.Minute}, {1, time.Minute}},
			`^in use rose from 1 to 3 within (1m|1m [0-9]+s); of what is held, opened since then: 2 × rows of exhausted_test\.go:\d+$`},
		{"two lines", []step{{0, 0}, {1, 11 * time.Minute}, {2, 0}, {1, time.Minute}},
			`^in use rose from 1 to 4 within .*; of what is held, opened since then: 2 × rows of exhausted_test\.go:(\d+), 1 × rows of exhausted_test\.go:\d+$`},
		{"full long ago", []step{{0, 0}, {0, 0}, {0, 20 * time.Minute}}, "^in use rose from 2 to 3 within 10s; of what is held, opened since then: 1 × rows of"},
		{"long after others", []step{{0, 0}, {0, 0}, {-1, time.Minute}, {0, 5 * time.Minute}, {0, 0}}, "^in use rose from 0 to 2 within 10s$"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watch(t)
				var held []*sql.Rows
				for _, s := range tt.steps {
					pass(s.after)
					if s.line < 0 { // all are given back
						for _, rows := range held {
							rows.Close()
						}
						held = nil
						continue
					}
					held = append(held, hold(t, w.DB, s.line))
				}
				w.SetMaxOpenConns(len(held))
				pass(5 * time.Second) // a sweep: who asks now is known to wait
				ctx, cancel := context.WithCancel(ctx)
				waiters := w.wait(ctx, 1)
				end := sync.OnceFunc(func() {
					cancel()
					waiters.Wait()
					for _, rows := range held {
						rows.Close()
					}
					pass(20 * time.Second)
				})
				defer end()
				pass(10 * time.Second)
				x := w.nowExhausted(t)
				if x == nil || !regexp.MustCompile(tt.want).MatchString(x.Growth) {
					t.Fatalf("want %q: %+v", tt.want, x)
				}
				pass(11 * time.Minute)
				if x := w.nowExhausted(t); x.Growth != "" {
					t.Errorf("exhausted for long: %q", x.Growth)
				}
				end()
				for _, e := range w.exhaustions() {
					if x := e.Exhausted; e.Kind == tracker.EventExhaustedEnd && (x.Growth != "" || len(x.Advice) > 0 || !x.AskedAt.IsZero()) {
						t.Errorf("ended with %+v", x)
					}
				}
				w.done(t)
			})
		})
	}
}

// TestExhaustedOpeners: an exhausted pool's holders say what their openers do
// now, in the event and in the snapshot.
func TestExhaustedOpeners(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		w.SetMaxOpenConns(2)
		release, left := make(chan struct{}), make(chan *sql.Rows, 1)
		go func() { left <- hold(t, w.DB, 0) }()
		held := make(chan struct{})
		go func() {
			rows := hold(t, w.DB, 1)
			close(held)
			<-release
			rows.Close()
		}()
		<-held
		pass(5 * time.Second) // a sweep: who asks now is known to wait
		ctx, cancel := context.WithCancel(ctx)
		waiters := w.wait(ctx, 2)
		pass(10 * time.Second)
		told := w.expectExhaustions(t, tracker.EventExhausted)[0].Exhausted
		for _, x := range []*tracker.Exhaustion{told, w.nowExhausted(t)} {
			now := make(map[string]bool)
			for _, h := range x.Holders {
				for _, o := range h.Openers {
					now[o.State+" "+short(o.At)] = true
				}
			}
			if len(now) != 2 || !now["exited "] || !now["chan receive 2"] || x.AskedAt.IsZero() {
				t.Errorf("the openers are %v as of %v", now, x.AskedAt)
			}
			if len(x.Advice) != 1 || !strings.Contains(x.Advice[0], "who opened it has gone on without it") {
				t.Errorf("advice %q", x.Advice)
			}
		}
		cancel()
		waiters.Wait()
		close(release)
		(<-left).Close()
		pass(20 * time.Second)
		end := w.expectExhaustions(t, tracker.EventExhausted, tracker.EventExhaustedEnd)[1].Exhausted
		if len(end.Holders) != 2 || end.Holders[0].Openers != nil || told.Holders[0].Openers == nil {
			t.Errorf("at the end: %+v", end)
		}
		w.done(t)
	})
}
