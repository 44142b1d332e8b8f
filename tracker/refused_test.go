package tracker_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// MySQLError is like that of go-sql-driver/mysql.
type MySQLError struct {
	Number  uint16
	Message string
}

func (e *MySQLError) Error() string { return fmt.Sprintf("Error %d: %s", e.Number, e.Message) }

var (
	tooManyConns = &MySQLError{1040, "Too many connections"}
	tooManyStmts = &MySQLError{1461, "Can't create more than max_prepared_stmt_count statements"}
)

// refusing is a connector that refuses some calls.
func refusing(refuses func(call string) error) *nopdriver.Connector {
	return &nopdriver.Connector{Before: func(_ context.Context, call, _ string) error { return refuses(call) }}
}

func (r *recorder) refusals() (out []tracker.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Refused != nil {
			out = append(out, e)
		}
	}
	return out
}

func (r *recorder) expectRefusals(t *testing.T, want ...tracker.EventKind) []tracker.Event {
	t.Helper()
	events := r.refusals()
	var got []tracker.EventKind
	for _, e := range events {
		got = append(got, e.Kind)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("events %v, want %v", got, want)
	}
	return events
}

// TestRefusedConnections: a DB for each request, none of which is closed, until
// the server has no connection left; two of them have lost rows too.
func TestRefusedConnections(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const most = 7
		conns := 0
		c := refusing(func(call string) error {
			switch {
			case call != "connect":
			case conns == most:
				return tooManyConns
			default:
				conns++
			}
			return nil
		})
		events := &recorder{}
		tr := must[*tracker.Tracker](t)(tracker.New(tracker.WithObserver(events)))
		var dbs []*sql.DB
		var lost []*sql.Rows
		for i := range most + 3 {
			db := driverwrap.OpenDB(c, driverwrap.WithTracker(tr), driverwrap.WithName("shop"))
			dbs = append(dbs, db)
			rows, err := db.Query("rows 1")
			switch {
			case i >= most && err != tooManyConns:
				t.Errorf("the error is %v", err)
			case i < most && err != nil:
				t.Fatal(err)
			case i < 2:
				lost = append(lost, rows)
			case i < most:
				rows.Close()
			}
			pass(time.Millisecond)
		}
		pass(6 * time.Second) // a sweep
		e := events.expectRefusals(t, tracker.EventRefused)[0]
		r := *e.Refused
		if r.Pool != "shop" || r.What != tracker.ResourceConnections || r.Code != "MySQL 1040" || r.Count != 3 || r.Over ||
			r.DBs != most || r.InUse != 2 || r.Idle != most-2 || !e.Since.Equal(e.At) || r.Last.Sub(r.First) != 2*time.Millisecond {
			t.Errorf("%+v", r)
		}
		if h := r.Holders; len(h) != 2 || h[0].Kind != tracker.KindDB || h[0].Count != most-2 || h[0].DBs != most-2 ||
			h[1].Kind != tracker.KindRows || h[1].Count != 2 || h[1].Site.Line <= h[0].Site.Line ||
			!strings.Contains(h[0].Site.Function, "TestRefusedConnections") {
			t.Errorf("held by %+v", h)
		}
		if !contains(r.Reason, "3 times", "too many connections (MySQL 1040)", "7 then, 2 in use and 5 idle, of 7 DBs") ||
			!contains(r.Advice, "once per process") {
			t.Errorf("%q, %q", r.Reason, r.Advice)
		}
		if s := tr.Snapshot().Refusals; len(s) != 1 || s[0].Count != 3 || s[0].Over {
			t.Errorf("the snapshot says %+v", s)
		}
		for _, rows := range lost {
			rows.Close()
		}
		for _, db := range dbs {
			db.Close()
		}
		pass(70 * time.Second)
		events.expectRefusals(t, tracker.EventRefused, tracker.EventRefusedEnd)
		if s := tr.Snapshot().Refusals; len(s) != 1 || !s[0].Over {
			t.Errorf("the snapshot says %+v", s)
		}
		tr.AssertNoLeaks(t, tracker.IncludeDBs())
	})
}

// TestRefusedForLong: one event, summaries, an end, and another trouble after it.
func TestRefusedForLong(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		refuse := true
		w := watchConnector(t, refusing(func(call string) error {
			if call == "connect" && refuse {
				return tooManyConns
			}
			return nil
		}))
		w.SetMaxOpenConns(5)
		refused := func(n int) {
			for range n {
				if err := w.Ping(); err != tooManyConns {
					t.Fatal(err)
				}
				pass(10 * time.Second)
			}
		}
		refused(30) // for five minutes
		events := w.events.expectRefusals(t, tracker.EventRefused, tracker.EventRefusedOngoing, tracker.EventRefusedOngoing)
		if n := events[2].Refused.Count; n < 18 || n > 20 {
			t.Errorf("%d of them in a good three minutes", n)
		}
		if a := events[2].Refused.Advice; !contains(a, "this process had none") {
			t.Errorf("advice %q", a)
		}
		pass(time.Minute)
		w.events.expectRefusals(t, tracker.EventRefused, tracker.EventRefusedOngoing, tracker.EventRefusedOngoing, tracker.EventRefusedEnd)
		refused(1)
		e := w.events.refusals()
		if last := e[len(e)-1]; last.Kind != tracker.EventRefused || last.Refused.Count != 1 || !strings.HasPrefix(last.Refused.Reason, "once, ") {
			t.Errorf("%+v", last)
		}
		if s := w.tracker.Snapshot().Refusals; len(s) != 2 || s[0].Over || !s[1].Over || s[1].Count != 30 {
			t.Errorf("the snapshot says %+v", s)
		}
		pass(time.Hour)
		w.done(t)
	})
}

// TestRefusedAdvice: what the limits of pools tell.
func TestRefusedAdvice(t *testing.T) {
	for _, tt := range []struct {
		limit  int
		advice string
	}{
		{0, "pool shop has no limit"},
		{9, "MaxOpenConns of these pools together is 9, and the server gave this process no more than 3"},
		{3, "look at who else"},
	} {
		inBubble(t, func(t *testing.T) {
			conns := 0
			w := watchConnector(t, refusing(func(call string) error {
				if call == "connect" {
					if conns++; conns > 3 {
						return tooManyConns
					}
				}
				return nil
			}))
			var txs []*sql.Tx
			for range 3 {
				txs = append(txs, must[*sql.Tx](t)(w.Begin()))
			}
			if err := w.Ping(); err != tooManyConns {
				t.Fatal(err)
			}
			w.SetMaxOpenConns(tt.limit)
			r := w.tracker.Snapshot().Refusals[0]
			if !contains(r.Advice, tt.advice) {
				t.Errorf("of %d: advice %q", tt.limit, r.Advice)
			}
			if h := r.Holders; len(h) != 1 || h[0].Kind != tracker.KindTx || h[0].Count != 3 || r.InUse != 3 || r.DBs != 1 {
				t.Errorf("held by %+v", h)
			}
			for _, tx := range txs {
				tx.Rollback()
			}
			pass(2 * time.Minute)
			w.done(t)
		})
	}
}

// TestRefusedStatements: what the application prepares and never closes, what
// database/sql prepares again, and what is closed.
func TestRefusedStatements(t *testing.T) {
	for _, tt := range []struct {
		name   string
		hold   func(t *testing.T, w *watched) []*sql.Stmt
		count  int
		copies int
		advice string
	}{
		{"never closed", func(t *testing.T, w *watched) (held []*sql.Stmt) {
			for range 12 {
				held = append(held, must[*sql.Stmt](t)(w.Prepare("rows 1")))
			}
			return held
		}, 12, 0, "are open: add `defer stmt.Close()`"},
		{"few", func(t *testing.T, w *watched) (held []*sql.Stmt) {
			return append(held, must[*sql.Stmt](t)(w.Prepare("rows 1")))
		}, 1, 0, "which other programs"},
		{"on each connection", func(t *testing.T, w *watched) []*sql.Stmt {
			stmt := must[*sql.Stmt](t)(w.Prepare("rows 1"))
			var open []*sql.Rows
			for range 20 {
				open = append(open, must[*sql.Rows](t)(stmt.Query()))
			}
			for _, rows := range open {
				rows.Close()
			}
			return []*sql.Stmt{stmt}
		}, 19, 19, "prepared anew on each connection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				full := false
				w := watchConnector(t, refusing(func(call string) error {
					if call == "prepare" && full {
						return tooManyStmts
					}
					return nil
				}))
				w.SetMaxIdleConns(30)
				held := tt.hold(t, w)
				full = true
				if _, err := w.Prepare("rows 2"); err != tooManyStmts {
					t.Fatal(err)
				}
				r := w.tracker.Snapshot().Refusals[0]
				if h := r.Holders; r.What != tracker.ResourceStatements || len(h) == 0 || h[0].Kind != tracker.KindStmt ||
					h[0].Count != tt.count || h[0].Copies != tt.copies || !contains(r.Advice, tt.advice) {
					t.Errorf("%+v", r)
				}
				for _, stmt := range held {
					stmt.Close()
				}
				pass(2 * time.Minute)
				w.done(t)
			})
		})
	}
}
