package tracker_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// counted is a driver that counts its connections.
type counted struct {
	nopdriver.Connector
	mu         sync.Mutex
	open, made int
}

func newCounted() *counted {
	c := &counted{}
	c.Before = func(_ context.Context, call, _ string) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch call {
		case "connect":
			c.open++
			c.made++
		case "close":
			c.open--
		}
		return nil
	}
	return c
}

func (c *counted) conns() (open, made int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, c.made
}

func TestSelfTest(t *testing.T) {
	driver := newCounted()
	w := watchConnector(t, &driver.Connector)
	w.SetMaxOpenConns(1)
	for range 3 {
		r, err := w.tracker.SelfTest(ctx, w.DB)
		if err != nil {
			t.Fatal(err)
		}
		if r.Proof != tracker.ProofUnreachable || !strings.HasSuffix(r.Site.Function, "internal/selftest.Leak") || r.Took <= 0 {
			t.Errorf("%+v", r)
		}
	}
	if open, made := driver.conns(); open != 1 || made != 4 {
		t.Errorf("%d connections are left of %d; want that of the DB of 1+3", open, made)
	}
	s := w.tracker.Snapshot()
	if len(s.Pools) != 1 || len(s.Findings) != 0 || s.Totals != (tracker.Totals{}) || s.Pools[0].InUse != 0 {
		t.Errorf("left: %+v", s)
	}
	w.events.expect(t)
	w.done(t)
}

func TestSelfTestInBubble(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		must[tracker.SelfTestResult](t)(w.tracker.SelfTest(ctx, w.DB))
		w.done(t)
	})
}

// TestSelfTestsAtOnce: many at a time, while others use the DB.
func TestSelfTestsAtOnce(t *testing.T) {
	driver := newCounted()
	w := watchConnector(t, &driver.Connector)
	w.SetMaxOpenConns(2)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				rows, err := w.Query("rows 3")
				if err != nil {
					t.Error(err)
					return
				}
				rows.Close()
			}
		})
		wg.Go(func() {
			if _, err := w.tracker.SelfTest(ctx, w.DB); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if open, _ := driver.conns(); open > 2 {
		t.Errorf("%d connections are left", open)
	}
	w.done(t)
}

// TestSelfTestFails: a detector that would see nothing, and all else that is in
// the way, is an error that says what.
func TestSelfTestFails(t *testing.T) {
	other := must[*tracker.Tracker](t)(tracker.New())
	broken := errors.New("out of order")
	for _, tt := range []struct {
		name string
		db   func(w *watched) *sql.DB
		want string
	}{
		{"no DB", func(w *watched) *sql.DB { return nil }, "there is no DB"},
		{"closed tracker", func(w *watched) *sql.DB { w.tracker.Close(); return w.DB }, "the tracker is closed"},
		{"closed DB", func(w *watched) *sql.DB { w.Close(); return w.DB }, "get a connection of the DB: sql: database is closed"},
		{"bare driver", func(w *watched) *sql.DB { return sql.OpenDB(&nopdriver.Connector{}) }, "not opened through driverwrap"},
		{"recording off", func(w *watched) *sql.DB {
			return driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(nil))
		}, "recording is off for it"},
		{"another tracker", func(w *watched) *sql.DB {
			return driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(other))
		}, "another tracker"},
		{"a database that knows no such query", func(w *watched) *sql.DB {
			return driverwrap.OpenDB(&nopdriver.Connector{Before: func(_ context.Context, call, _ string) error {
				if call == "query" {
					return broken
				}
				return nil
			}}, driverwrap.WithTracker(w.tracker))
		}, "run SELECT 1 on a connection of its own: out of order"},
		{"a driver that panics", func(w *watched) *sql.DB {
			return driverwrap.OpenDB(&nopdriver.Connector{Before: func(_ context.Context, call, _ string) error {
				if call == "query" {
					panic("oops")
				}
				return nil
			}}, driverwrap.WithTracker(w.tracker))
		}, "run SELECT 1 on a connection of its own: panic: oops"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watch(t)
			db := tt.db(w)
			r, err := w.tracker.SelfTest(ctx, db)
			if err == nil || !strings.HasPrefix(err.Error(), "tracker: self-test: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if r != (tracker.SelfTestResult{}) {
				t.Errorf("result %+v", r)
			}
			if db != nil {
				db.Close()
			}
			w.done(t)
		})
	}
	if _, err := (*tracker.Tracker)(nil).SelfTest(ctx, nil); err == nil || !strings.Contains(err.Error(), "no tracker") {
		t.Errorf("error %v", err)
	}
}

// TestSelfTestEndsInTime: with its context, wherever it is.
func TestSelfTestEndsInTime(t *testing.T) {
	for _, tt := range []struct {
		name    string
		hangs   string // the call that does, until its context ends
		stuck   bool   // or for longer
		prepare func(w *watched) (undo func())
		want    string
	}{
		{name: "exhausted", prepare: func(w *watched) func() {
			conn, _ := w.Conn(ctx)
			return func() { conn.Close() }
		}, want: "of which all 1 are in use"},
		{name: "no answer", hangs: "query", want: "run SELECT 1 on a connection of its own: context deadline exceeded"},
		{name: "no answer at all", hangs: "query", stuck: true, want: "run SELECT 1 on a connection of its own: the driver doesn't return: context deadline exceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				free := make(chan struct{})
				driver := newCounted()
				count := driver.Before
				driver.Before = func(ctx context.Context, call, query string) error {
					switch {
					case call != tt.hangs:
					case tt.stuck:
						<-free
					default:
						<-ctx.Done()
						return ctx.Err()
					}
					return count(ctx, call, query)
				}
				w := watchConnector(t, &driver.Connector)
				w.SetMaxOpenConns(1)
				if tt.prepare != nil {
					defer tt.prepare(w)()
				}
				ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
				defer cancel()
				start := time.Now()
				_, err := w.tracker.SelfTest(ctx, w.DB)
				if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v, want one with %q", err, tt.want)
				}
				if took := time.Since(start); took > 6*time.Second {
					t.Errorf("it took %v", took)
				}
				close(free)
				pass(0)
				w.Close()
				if tt.prepare == nil {
					pass(time.Second)
					if open, _ := driver.conns(); open != 0 {
						t.Errorf("%d connections are left", open)
					}
				}
			})
		})
	}
}

// TestSelfTestSeesHeldUpSweeps: a tracker with an observer that doesn't return
// reports nothing any more.
func TestSelfTestSeesHeldUpSweeps(t *testing.T) {
	held, free := make(chan struct{}), make(chan struct{})
	w := watch(t, tracker.WithKindThreshold(tracker.KindRows, time.Millisecond), tracker.WithObserver(tracker.ObserverFunc(func(tracker.Event) {
		select {
		case <-held:
		default:
			close(held)
		}
		<-free
	})))
	rows := must[*sql.Rows](t)(w.Query("rows 9"))
	<-held
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := w.tracker.SelfTest(ctx, w.DB); err == nil || !strings.Contains(err.Error(), "an observer holds up: context deadline exceeded") {
		t.Errorf("error %v", err)
	}
	close(free)
	rows.Close()
	if _, err := w.tracker.SelfTest(context.Background(), w.DB); err != nil {
		t.Error(err)
	}
	w.done(t)
}

// TestSelfTestThroughWrappers: with a driver that lacks the fast path, and under
// a wrapper of another package.
func TestSelfTestThroughWrappers(t *testing.T) {
	tr := must[*tracker.Tracker](t)(tracker.New())
	for name, db := range map[string]*sql.DB{
		"plain":    driverwrap.OpenDB(&plainConnector{}, driverwrap.WithTracker(tr)),
		"wrapped":  sql.OpenDB(outer{driverwrap.WrapConnector(&nopdriver.Connector{}, driverwrap.WithTracker(tr))}),
		"in twice": driverwrap.OpenDB(outer{driverwrap.WrapConnector(&nopdriver.Connector{})}, driverwrap.WithTracker(tr)),
	} {
		if _, err := tr.SelfTest(ctx, db); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		db.Close()
	}
	tr.AssertNoLeaks(t, tracker.IncludeDBs())
}

// plainConnector's connections have what every driver's have, and no more.
type plainConnector struct{ nopdriver.Connector }

func (c *plainConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	return struct{ driver.Conn }{inner}, err
}

// outer is another package's wrapper.
type outer struct{ driver.Connector }

func (o outer) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := o.Connector.Connect(ctx)
	return outerConn{inner}, err
}

type outerConn struct{ driver.Conn }

func (c outerConn) Unwrap() driver.Conn { return c.Conn }

func TestSelfTestLeavesNoGoroutine(t *testing.T) {
	w := watch(t)
	must[tracker.SelfTestResult](t)(w.tracker.SelfTest(ctx, w.DB))
	before := runtime.NumGoroutine()
	for range 5 {
		must[tracker.SelfTestResult](t)(w.tracker.SelfTest(ctx, w.DB))
	}
	eventually(t, "as few goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
	w.done(t)
}
