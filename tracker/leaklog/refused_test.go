package leaklog_test

import (
	"bytes"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/dbleaks-go/dbleaks/tracker"
	"github.com/dbleaks-go/dbleaks/tracker/leaklog"
)

// TestRefused: lines about calls that a database refused have keys of their own.
func TestRefused(t *testing.T) {
	first := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	r := &tracker.Refusal{
		Pool: "shop", What: tracker.ResourceConnections, Code: "MySQL 1040", Count: 12, Reason: "why", Advice: "do",
		First: first, Last: first.Add(12345 * time.Millisecond), DBs: 8, InUse: 2, Idle: 7, Others: 1,
		Holders: []tracker.RefusalHolder{
			{Kind: tracker.KindDB, Count: 7, DBs: 7, Site: tracker.Frame{Function: "main.open", File: "/src/main.go", Line: 31}},
			{Kind: tracker.KindTx, Count: 1, DBs: 1, Site: tracker.Frame{Function: "main.pay", File: "/src/pay.go", Line: 42}},
		},
	}
	for kind, message := range map[tracker.EventKind]string{
		tracker.EventRefused:        "database refuses calls",
		tracker.EventRefusedOngoing: "database still refuses calls",
		tracker.EventRefusedEnd:     "database no longer refuses calls",
	} {
		var zero, structured bytes.Buffer
		e := tracker.Event{Kind: kind, Refused: r}
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
				"event": kind.String(), "pool": "shop", "what": "connections", "code": "MySQL 1040", "count": 12.0, "for_s": 12.345,
				"dbs": 8.0, "in_use": 2.0, "idle": 7.0, "reason": "why", "advice": "do",
				"holders": "7 idle connections of 7 db at main.open main.go:31; 1 tx at main.pay pay.go:42; 1 more",
			}; !maps.Equal(line, want) {
				t.Errorf("%v: %v", kind, line)
			}
		}
	}
}
