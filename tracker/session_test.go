package tracker_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// postgresDriver has a name from which its dialect is known, and nothing else.
type postgresDriver struct{ driver.Driver }

type postgresConnector struct{ nopdriver.Connector }

func (c *postgresConnector) Driver() driver.Driver { return postgresDriver{} }

func watchPostgres(t *testing.T, opts ...tracker.Option) *watched {
	t.Helper()
	events := &recorder{}
	tr := must[*tracker.Tracker](t)(tracker.New(append(opts, tracker.WithObserver(events))...))
	return &watched{
		DB:      driverwrap.OpenDB(&postgresConnector{}, driverwrap.WithTracker(tr), driverwrap.WithName("shop")),
		tracker: tr,
		events:  events,
	}
}

func (w *watched) text(t *testing.T, text string) {
	t.Helper()
	must[sql.Result](t)(w.Exec(text))
}

func TestWithSessionChecks(t *testing.T) {
	for _, checks := range []tracker.SessionChecks{1 << 5, 0xff} {
		_, err := tracker.New(tracker.WithSessionChecks(checks))
		if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("tracker: WithSessionChecks(%#x): ", uint8(checks))) {
			t.Errorf("WithSessionChecks(%#x): %v", uint8(checks), err)
		}
	}
	if _, err := tracker.New(tracker.WithSessionChecks(0x1f)); err != nil {
		t.Error(err)
	}
}

// Each check finds its own, and no other does.
func TestSessionChecks(t *testing.T) {
	texts := map[tracker.SessionChecks]string{
		tracker.SessionTransactions: "BEGIN",
		tracker.SessionLocks:        "SELECT pg_advisory_lock(1)",
		tracker.SessionTryLocks:     "SELECT pg_try_advisory_lock(1)",
		tracker.SessionSettings:     "SET ROLE a",
		tracker.SessionListen:       "LISTEN a",
	}
	advice := make(map[string]bool)
	for check, text := range texts {
		t.Run(text, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watchPostgres(t, tracker.WithSessionChecks(check))
				defer w.Close()
				for _, text := range texts {
					w.text(t, text)
				}
				pass(2 * time.Second)
				found := w.tracker.Snapshot().Findings
				if len(found) != 1 || found[0].Query != strings.ReplaceAll(text, "1", "?") {
					t.Fatalf("findings: %v", found)
				}
				advice[found[0].Advice] = true
			})
		})
	}
	if len(advice) != 4 { // one for both kinds of locks
		t.Errorf("advice: %v", advice)
	}
}

// A finding lasts until the session is clean, however long that is, and says how
// often the connection was given back.
func TestSessionEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watchPostgres(t)
		w.text(t, "BEGIN")
		pass(900 * time.Millisecond)
		if s := w.tracker.Snapshot(); len(s.Findings) > 0 || s.Pools[0].Open[tracker.KindSession] != 1 {
			t.Errorf("after less than a second: %v", s)
		}
		pass(100 * time.Millisecond)
		if found := w.tracker.Snapshot().Findings; len(found) != 1 || found[0].State != tracker.StateOverdue {
			t.Errorf("after a second: %v", found)
		}
		w.text(t, "SELECT 1")
		w.text(t, "SELECT 1")
		pass(4 * time.Minute)
		w.events.expect(t, "overdue session×1", "ongoing session×1", "ongoing session×1")
		f := w.events.events[2].Finding
		if !strings.Contains(f.Reason, "began, 3 times; it has been there for ") {
			t.Errorf("reason: %s", f.Reason)
		}
		w.text(t, "COMMIT")
		pass(time.Minute)
		w.events.expect(t, "overdue session×1", "ongoing session×1", "ongoing session×1", "recovered session×1")
		if got := w.tracker.Snapshot().Totals; got != (tracker.Totals{Reported: 1, Overdue: 1, Recovered: 1}) {
			t.Errorf("totals: %+v", got)
		}
		w.done(t)
	})
}

// What one text begins is one matter until all of it is ended.
func TestSessionOfOneText(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watchPostgres(t)
		w.text(t, "BEGIN; SELECT pg_advisory_lock(1); SELECT pg_advisory_lock_shared(2)")
		for _, end := range []struct{ text, reason string }{
			{"SELECT 1", "inside the transaction"},
			{"COMMIT", "with the lock"},
			{"SELECT pg_advisory_unlock_all()", ""},
		} {
			w.text(t, end.text)
			pass(10 * time.Second)
			found := w.tracker.Snapshot().Findings
			one := len(found) == 1 && found[0].Count == 1 && strings.Contains(found[0].Reason, end.reason)
			if one != (end.reason != "") || len(found) > 1 {
				t.Errorf("after %s: %v", end.text, found)
			}
		}
		w.done(t)
	})
}

// What can't be ended any more is over.
func TestSessionGone(t *testing.T) {
	for name, end := range map[string]func(w *watched) error{
		"connection closed": func(w *watched) error { w.SetMaxIdleConns(-1); return nil },
		"not checked":       func(w *watched) error { return w.tracker.Configure(tracker.WithSessionChecks(0)) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watchPostgres(t)
				w.text(t, "BEGIN")
				pass(time.Minute)
				if err := end(w); err != nil {
					t.Fatal(err)
				}
				pass(time.Minute)
				w.events.expect(t, "overdue session×1", "ended session×1")
				w.done(t)
			})
		})
	}
}

// One goroutine that has one connection is not in anybody's way for as long as
// a transaction may be idle; goroutines that take turns have a second to end it.
func TestSessionOfOneConnection(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opts   []tracker.Option
		turns  bool
		silent time.Duration // from then on it is a finding; 0: never
	}{
		{"one goroutine", nil, false, tracker.DefaultThreshold},
		{"one goroutine, longer threshold", []tracker.Option{tracker.WithKindThreshold(tracker.KindTx, time.Hour)}, false, time.Hour},
		{"one goroutine, no threshold", []tracker.Option{tracker.WithKindThreshold(tracker.KindTx, 0)}, false, 0},
		{"goroutines in turn", nil, true, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watchPostgres(t, tt.opts...)
				defer w.Close()
				w.SetMaxOpenConns(1)
				w.text(t, "BEGIN")
				if tt.turns {
					inGoroutine(func() { w.text(t, "SELECT 1") })
				}
				if tt.silent == 0 {
					pass(24 * time.Hour)
					w.events.expect(t)
					return
				}
				pass(tt.silent - time.Nanosecond)
				if found := w.tracker.Snapshot().Findings; len(found) > 0 {
					t.Errorf("too soon: %v", found)
				}
				pass(time.Nanosecond)
				if found := w.tracker.Snapshot().Findings; len(found) != 1 {
					t.Errorf("not then: %v", found)
				}
			})
		})
	}
}

// The exit report has what a transaction by text would lose, and so has a test.
func TestSessionReports(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watchPostgres(t)
		defer w.Close()
		conn := must[*sql.Conn](t)(w.Conn(ctx))
		defer conn.Close()
		test := newFakeTest()
		guarded := w.tracker.Guard(test)
		inGoroutine(func() { must[sql.Result](t)(w.ExecContext(context.Background(), "SELECT 1")) })
		must[sql.Result](t)(w.ExecContext(guarded, "BEGIN"))
		test.end()
		if got := test.String(); !contains(got, "dbleaks: 1 session was left dirty\n", "session OVERDUE, open for ", "scope   TestFake", "use BeginTx in place of line ") {
			t.Errorf("guard:\n%s", got)
		}
		other := newFakeTest()
		w.tracker.Guard(other)
		other.end()
		if len(other.messages) > 0 {
			t.Errorf("another test is told:\n%s", other)
		}
		r := w.tracker.Close()
		if got := r.String(); !contains(got, "dbleaks: 2 handles were not given back, opened at 2 places; 1 session was left dirty\n") {
			t.Errorf("exit report:\n%s", got)
		}
	})
}

// Many goroutines make a mess of their transactions, while others look. When all
// is cleaned up, nothing is left.
func TestSessionsAtOnce(t *testing.T) {
	w := watchPostgres(t, tracker.WithSessionChecks(0x1f), tracker.WithKindThreshold(tracker.KindTx, time.Millisecond))
	w.SetMaxOpenConns(3)
	texts := []string{"BEGIN", "SELECT 1", "SET ROLE a", "LISTEN a", "SELECT pg_advisory_lock(1)", "COMMIT", "ROLLBACK", "BEGIN; COMMIT", "RESET ALL", "CALL p()"}
	var working, looking sync.WaitGroup
	for i := range 6 {
		working.Go(func() {
			for n := range 500 {
				if _, err := w.Exec(texts[(i*7+n)%len(texts)]); err != nil {
					t.Error(err)
				}
				if tx, err := w.Begin(); err != nil || tx.Rollback() != nil {
					t.Error(err)
				}
			}
		})
	}
	stop := make(chan struct{})
	looking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.tracker.Snapshot()
				w.tracker.AssertNoLeaks(&fakeTB{}, tracker.Grace(0))
			}
		}
	})
	working.Wait()
	close(stop)
	looking.Wait()
	var conns []*sql.Conn
	for range 3 {
		conn := must[*sql.Conn](t)(w.Conn(ctx))
		must[sql.Result](t)(conn.ExecContext(ctx, "DISCARD ALL"))
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		conn.Close()
	}
	w.done(t)
}

// What is accepted is accepted.
func TestSessionIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watchPostgres(t)
		defer w.Close()
		must[sql.Result](t)(w.ExecContext(tracker.LongLived(ctx, "on purpose"), "BEGIN"))
		w.tracker.AssertNoLeaks(t)
		w.text(t, "SELECT pg_advisory_lock(1)")
		var test fakeTB
		if w.tracker.AssertNoLeaks(&test); len(test.messages) != 1 {
			t.Errorf("said of a lock: %q", test.messages)
		}
		w.tracker.AssertNoLeaks(t, tracker.IgnoreSite(`\.text `))
		w.tracker.AssertNoLeaks(t, w.tracker.IgnoreCurrent())
	})
}
