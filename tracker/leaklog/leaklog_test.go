package leaklog_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
	"github.com/dbleaks-go/dbleaks/tracker/leaklog"
)

// TestSameLines logs the life of one finding through both loggers.
func TestSameLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var zero, structured bytes.Buffer
		tr, err := tracker.New(
			tracker.WithObserver(leaklog.Zerolog(zerolog.New(&zero))),
			tracker.WithObserver(leaklog.Slog(slog.New(slog.NewJSONHandler(&structured, nil)))),
		)
		if err != nil {
			t.Fatal(err)
		}
		db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr), driverwrap.WithName("shop"))
		var rows *sql.Rows
		if rows, err = db.Query("rows 3"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		rows.Close()
		time.Sleep(10 * time.Second)
		db.Close()
		tr.AssertNoLeaks(t, tracker.IncludeDBs())

		a, b := lines(t, &zero), lines(t, &structured)
		if len(a) != 3 || len(b) != 3 {
			t.Fatalf("%d and %d lines, want 3 of each", len(a), len(b))
		}
		for i, want := range []struct {
			event, level, message string
			extra                 []string
		}{
			{"overdue", "warn", "database handle overdue", []string{"advice", "reason"}},
			{"ongoing", "warn", "database handle still not given back", []string{"advice", "reason"}},
			{"recovered", "info", "database handle given back", []string{"held_s"}},
		} {
			z, s := a[i], b[i]
			if z["event"] != want.event || z["level"] != want.level || z["message"] != want.message || s["msg"] != want.message {
				t.Errorf("line %d is %v", i, z)
			}
			for _, own := range []string{"level", "message"} {
				delete(z, own)
			}
			for _, own := range []string{"level", "msg", "time"} {
				delete(s, own)
			}
			if !maps.Equal(z, s) {
				t.Errorf("line %d: zerolog %v, slog %v", i, z, s)
			}
			keys := append([]string{"event", "id", "kind", "state", "pool", "function", "file", "line", "count", "leaked", "age_s", "recovered"}, want.extra...)
			slices.Sort(keys)
			if got := slices.Sorted(maps.Keys(z)); !slices.Equal(got, keys) {
				t.Errorf("line %d has keys %v, want %v", i, got, keys)
			}
			if z["pool"] != "shop" || z["kind"] != "rows" || z["count"] != 1.0 {
				t.Errorf("line %d: %v", i, z)
			}
		}
	})
}

func TestLevels(t *testing.T) {
	for kind, want := range map[tracker.EventKind][2]string{
		tracker.EventOverdue:   {"warn", "WARN"},
		tracker.EventLeaked:    {"error", "ERROR"},
		tracker.EventScopeEnd:  {"warn", "WARN"},
		tracker.EventOngoing:   {"warn", "WARN"},
		tracker.EventRecovered: {"info", "INFO"},
		tracker.EventEnded:     {"info", "INFO"},

		tracker.EventExhausted:        {"warn", "WARN"},
		tracker.EventExhaustedOngoing: {"warn", "WARN"},
		tracker.EventExhaustedEnd:     {"info", "INFO"},

		tracker.EventRefused:        {"warn", "WARN"},
		tracker.EventRefusedOngoing: {"warn", "WARN"},
		tracker.EventRefusedEnd:     {"info", "INFO"},
	} {
		var zero, structured bytes.Buffer
		e := tracker.Event{Kind: kind, Finding: tracker.Finding{State: tracker.StateLeaked, Proof: tracker.ProofUnreachable}}
		leaklog.Zerolog(zerolog.New(&zero)).Observe(e)
		leaklog.Slog(slog.New(slog.NewJSONHandler(&structured, nil))).Observe(e)
		z, s := lines(t, &zero)[0], lines(t, &structured)[0]
		if z["level"] != want[0] || s["level"] != want[1] || z["proof"] != "unreachable" || s["proof"] != "unreachable" {
			t.Errorf("%v: zerolog %v, slog %v", kind, z, s)
		}
	}
}

// A session is not given back, but cleaned.
func TestSessionMessages(t *testing.T) {
	for kind, want := range map[tracker.EventKind]string{
		tracker.EventOverdue:   "database session left dirty",
		tracker.EventScopeEnd:  "database session left dirty",
		tracker.EventOngoing:   "database session still dirty",
		tracker.EventRecovered: "database session clean again",
		tracker.EventEnded:     "database session gone with its connection",
	} {
		var out bytes.Buffer
		leaklog.Slog(slog.New(slog.NewJSONHandler(&out, nil))).
			Observe(tracker.Event{Kind: kind, Finding: tracker.Finding{Kind: tracker.KindSession}})
		if got := lines(t, &out)[0]; got["msg"] != want || got["kind"] != "session" {
			t.Errorf("%v: %v", kind, got)
		}
	}
}

// TestDeadlock: a deadlock is told in a line, a suspected one as such.
func TestDeadlock(t *testing.T) {
	for doubt, want := range map[string]string{
		"":                   "goroutine 7 holds tx of store.go:42, waits at store.go:43",
		"somebody may go on": "suspected: goroutine 7 holds tx of store.go:42, waits at store.go:43",
	} {
		x := &tracker.Exhaustion{Deadlocks: []tracker.Deadlock{{Doubt: doubt, Members: []tracker.DeadlockMember{{
			Goroutine: 7, Kind: tracker.KindTx, Holds: tracker.Frame{File: "/src/store.go", Line: 42}, Waits: tracker.Frame{File: "/src/store.go", Line: 43},
		}}}}}
		var b bytes.Buffer
		leaklog.Zerolog(zerolog.New(&b)).Observe(tracker.Event{Kind: tracker.EventExhausted, Exhausted: x})
		if got := lines(t, &b)[0]["deadlock"]; got != want {
			t.Errorf("%v, want %q", got, want)
		}
	}
}

// TestScopeAndLabels: whose a handle is has keys of its own.
func TestScopeAndLabels(t *testing.T) {
	e := tracker.Event{Kind: tracker.EventScopeEnd, Finding: tracker.Finding{
		Scope: "GET /orders", Labels: []tracker.Label{{Key: "tenant", Value: "acme"}, {Key: "event", Value: "x"}},
	}}
	var zero, structured bytes.Buffer
	leaklog.Zerolog(zerolog.New(&zero)).Observe(e)
	leaklog.Slog(slog.New(slog.NewJSONHandler(&structured, nil))).Observe(e)
	for _, line := range []map[string]any{lines(t, &zero)[0], lines(t, &structured)[0]} {
		for key, want := range map[string]string{
			"event": "scope_end", "scope": "GET /orders", "label.tenant": "acme", "label.event": "x",
		} {
			if line[key] != want {
				t.Errorf("%s is %v, want %q, in %v", key, line[key], want, line)
			}
		}
	}
}

// TestExhausted: lines about a pool have keys of their own.
func TestExhausted(t *testing.T) {
	pay := tracker.Frame{Function: "example.com/shop.(*Store).Pay", File: "/src/store.go", Line: 42}
	export := tracker.Frame{Function: "example.com/shop.Export", File: "/src/export.go", Line: 88}
	x := &tracker.Exhaustion{
		Pool: "shop", Limit: 3, InUse: 3, Waiting: 7, For: 12345 * time.Millisecond, Reason: "why", Others: 1,
		Growth: "in use rose", Advice: []string{"do", "that"},
		Holders: []tracker.Holder{
			{
				Handles: tracker.Finding{Kind: tracker.KindTx, State: tracker.StateOverdue, Count: 2, Site: pay},
				Openers: []tracker.Opener{{Count: 2, State: "chan receive", Longest: 4 * time.Minute, At: export}},
			},
			{
				Handles: tracker.Finding{Kind: tracker.KindConn, Count: 3, Site: pay},
				Openers: []tracker.Opener{{Count: 2, State: "exited"}, {Count: 1, State: "select", WaitsFor: "shop", At: export}},
			},
			{Handles: tracker.Finding{Kind: tracker.KindRows, Count: 1, Site: pay}},
		},
	}
	for kind, message := range map[tracker.EventKind]string{
		tracker.EventExhausted:        "database pool exhausted",
		tracker.EventExhaustedOngoing: "database pool still exhausted",
		tracker.EventExhaustedEnd:     "database pool no longer exhausted",
	} {
		var zero, structured bytes.Buffer
		e := tracker.Event{Kind: kind, Exhausted: x}
		leaklog.Zerolog(zerolog.New(&zero)).Observe(e)
		leaklog.Slog(slog.New(slog.NewJSONHandler(&structured, nil))).Observe(e)
		for own, line := range map[string]map[string]any{"message": lines(t, &zero)[0], "msg": lines(t, &structured)[0]} {
			if line[own] != message {
				t.Errorf("%v: %v", kind, line)
			}
			delete(line, own)
			delete(line, "level")
			delete(line, "time")
			if want := map[string]any{
				"event": kind.String(), "pool": "shop", "limit": 3.0, "in_use": 3.0, "waiting": 7.0, "for_s": 12.345, "reason": "why",
				"growth": "in use rose", "advice": "do; that",
				"holders": "2 tx (overdue) at example.com/shop.(*Store).Pay store.go:42, opener blocked 4m in chan receive at export.go:88; " +
					"3 conn (open) at example.com/shop.(*Store).Pay store.go:42, opener 2 exited, 1 waits for a connection of pool shop at export.go:88; " +
					"1 rows (open) at example.com/shop.(*Store).Pay store.go:42; 1 more",
			}; !maps.Equal(line, want) {
				t.Errorf("%v: %v", kind, line)
			}
		}
	}
}

func lines(t *testing.T, b *bytes.Buffer) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range bytes.Lines(b.Bytes()) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, m)
	}
	return out
}
