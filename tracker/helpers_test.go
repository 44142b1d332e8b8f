package tracker_test

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

var ctx = context.Background()

// recorder is an observer that keeps what it was told.
type recorder struct {
	mu     sync.Mutex
	events []tracker.Event
}

func (r *recorder) Observe(e tracker.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// told lists the events as "event kind×count", in order.
func (r *recorder) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.events {
		out = append(out, fmt.Sprintf("%v %v×%d", e.Kind, e.Finding.Kind, e.Finding.Count))
	}
	return out
}

func (r *recorder) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := r.told(); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

// watched is a DB on the driver without a database, with a tracker of its own.
type watched struct {
	*sql.DB
	tracker *tracker.Tracker
	events  *recorder
}

func watch(t *testing.T, opts ...tracker.Option) *watched {
	t.Helper()
	return watchConnector(t, &nopdriver.Connector{}, opts...)
}

func watchConnector(t *testing.T, c *nopdriver.Connector, opts ...tracker.Option) *watched {
	t.Helper()
	events := &recorder{}
	tr, err := tracker.New(append(opts, tracker.WithObserver(events))...)
	if err != nil {
		t.Fatal(err)
	}
	return &watched{
		DB:      driverwrap.OpenDB(c, driverwrap.WithTracker(tr), driverwrap.WithName("shop")),
		tracker: tr,
		events:  events,
	}
}

// done closes the DB and checks that nothing is left.
func (w *watched) done(t *testing.T) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	w.tracker.AssertNoLeaks(t, tracker.IncludeDBs())
	if s := w.tracker.Snapshot(); len(s.Pools)+len(s.Findings)+len(s.Open) > 0 {
		t.Errorf("left: %+v", s)
	}
}

// inBubble runs f where time passes only when everybody waits.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// pass lets d pass in a bubble, and what it wakes run.
func pass(d time.Duration) {
	time.Sleep(d) // in a bubble: takes no time, and wakes exactly then
	synctest.Wait()
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// keep keeps v reachable until the test ends.
func keep(t *testing.T, v any) { t.Cleanup(func() { runtime.KeepAlive(v) }) }

// fakeTB records what an assertion says.
type fakeTB struct{ messages []string }

func (f *fakeTB) Errorf(format string, args ...any) {
	f.messages = append(f.messages, fmt.Sprintf(format, args...))
}

func (f *fakeTB) String() string { return strings.Join(f.messages, "\n") }

// eventually collects garbage until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		runtime.GC()
	}
}

func contains(s string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(s, part) })
}

func openNamed(tr *tracker.Tracker, name string) *sql.DB {
	return driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr), driverwrap.WithName(name))
}
