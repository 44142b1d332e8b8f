// Package leaklog writes a tracker's events to a log: one line when a finding
// appears, one when it is proven leaked, summaries at doubling intervals
// while it lasts, and one when it is over. The keys are flat and the same for
// every logger:
//
//	event     overdue, leaked, scope_end, ongoing, recovered or ended
//	id        the finding's identity, the same in every line about it
//	kind      conn, tx, rows, row, stmt, db or session
//	state     open, overdue, leaked or recovered
//	proof     why it is leaked; absent unless it is
//	pool      the pool's name
//	function  where the handles were opened
//	file
//	line
//	count     how many handles the finding has
//	leaked    how many of them are proven
//	age_s     seconds since the oldest was opened
//	held_s    seconds for which the oldest was open; only when recovered
//	recovered how many were given back after they had been reported
//	scope     the scope or the test that the oldest belongs to; absent if none
//	label.…   what the application calls the oldest, a key for each label
//	reason    what is known, in words
//	advice    what to do; absent when recovered
//
// Lines about a pool of which no connection comes back, while somebody waits
// for one, have other keys:
//
//	event     exhausted, exhausted_ongoing or exhausted_end
//	pool      the pool's name
//	limit     how many connections it may have
//	in_use    how many are in use
//	waiting   how many calls, at least, have begun to wait in vain
//	for_s     seconds since a connection came or went; for which it was
//	          exhausted, at its end
//	growth    how that has come about in the last ten minutes; absent if it
//	          isn't known
//	holders   what holds the connections, the oldest first, and what the
//	          goroutines do now that opened it: "2 tx (overdue) at
//	          example.com/shop.(*Store).Pay store.go:42, opener blocked 4m in
//	          chan receive at export.go:88; …"
//	waiters   how many goroutines wait where, the most first; absent if it
//	          isn't known
//	deadlock  which of them wait for each other, behind "suspected: " if there
//	          is a doubt; absent if none do
//	reason    what is known, in words
//	advice    what to do; absent if it isn't known
//
// So have lines about calls that the database refused, because it had no more
// connections or statements, or was locked:
//
//	event     refused, refused_ongoing or refused_end
//	pool      the name of the pools
//	what      connections, statements or lock
//	code      the database's own, e.g. "MySQL 1040"
//	count     how many calls were refused
//	for_s     seconds from the first of them to the last
//	dbs       how many DBs of the same data source had connections
//	in_use    these connections
//	idle
//	holders   what they held, the most first; absent if they held nothing:
//	          "97 idle connections of 97 db at main.open main.go:31; …"
//	reason    what is known, in words
//	advice    what to do
//
// SQL text is not logged.
package leaklog

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// Zerolog returns an observer that writes to l: leaked as errors, recovered
// and the ends as information, the others as warnings.
func Zerolog(l zerolog.Logger) tracker.Observer {
	return tracker.ObserverFunc(func(e tracker.Event) {
		line := l.WithLevel(zerologLevel(e.Kind))
		for _, f := range fields(e) {
			line = line.Any(f.key, f.value)
		}
		line.Msg(message(e))
	})
}

// Slog returns an observer that writes to l, at the same levels as [Zerolog].
// A nil l means [slog.Default] at the time of the call.
func Slog(l *slog.Logger) tracker.Observer {
	if l == nil {
		l = slog.Default()
	}
	return tracker.ObserverFunc(func(e tracker.Event) {
		var attrs []slog.Attr
		for _, f := range fields(e) {
			attrs = append(attrs, slog.Any(f.key, f.value))
		}
		l.LogAttrs(context.Background(), slogLevel(e.Kind), message(e), attrs...)
	})
}

func zerologLevel(k tracker.EventKind) zerolog.Level {
	switch slogLevel(k) {
	case slog.LevelError:
		return zerolog.ErrorLevel
	case slog.LevelInfo:
		return zerolog.InfoLevel
	}
	return zerolog.WarnLevel
}

func slogLevel(k tracker.EventKind) slog.Level {
	switch k {
	case tracker.EventLeaked:
		return slog.LevelError
	case tracker.EventRecovered, tracker.EventEnded, tracker.EventExhaustedEnd, tracker.EventRefusedEnd:
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

func message(e tracker.Event) string {
	if e.Finding.Kind == tracker.KindSession {
		return sessionMessage(e.Kind)
	}
	switch e.Kind {
	case tracker.EventLeaked:
		return "database handle leaked"
	case tracker.EventScopeEnd:
		return "database handle left open by its scope"
	case tracker.EventOngoing:
		return "database handle still not given back"
	case tracker.EventRecovered:
		return "database handle given back"
	case tracker.EventEnded:
		return "database handle gone with its connection"
	case tracker.EventExhausted:
		return "database pool exhausted"
	case tracker.EventExhaustedOngoing:
		return "database pool still exhausted"
	case tracker.EventExhaustedEnd:
		return "database pool no longer exhausted"
	case tracker.EventRefused:
		return "database refuses calls"
	case tracker.EventRefusedOngoing:
		return "database still refuses calls"
	case tracker.EventRefusedEnd:
		return "database no longer refuses calls"
	}
	return "database handle overdue"
}

func sessionMessage(k tracker.EventKind) string {
	switch k {
	case tracker.EventOngoing:
		return "database session still dirty"
	case tracker.EventRecovered:
		return "database session clean again"
	case tracker.EventEnded:
		return "database session gone with its connection"
	}
	return "database session left dirty"
}

type field struct {
	key   string
	value any
}

func fields(e tracker.Event) []field {
	switch {
	case e.Exhausted != nil:
		return filled(exhaustedFields(e.Kind, e.Exhausted))
	case e.Refused != nil:
		return filled(refusedFields(e.Kind, e.Refused))
	}
	f := e.Finding
	out := []field{
		{"event", e.Kind.String()},
		{"id", f.ID},
		{"kind", f.Kind.String()},
		{"state", f.State.String()},
	}
	if f.Proof != "" {
		out = append(out, field{"proof", string(f.Proof)})
	}
	out = append(out,
		field{"pool", f.Pool},
		field{"function", f.Site.Function},
		field{"file", f.Site.File},
		field{"line", f.Site.Line},
		field{"count", f.Count},
		field{"leaked", f.Leaked},
		field{"age_s", seconds(f.Age)},
		field{"recovered", e.Recovered},
	)
	if f.Scope != "" {
		out = append(out, field{"scope", f.Scope})
	}
	for _, l := range f.Labels {
		out = append(out, field{"label." + l.Key, l.Value})
	}
	if e.Kind == tracker.EventRecovered {
		return append(out, field{"held_s", seconds(e.Held)})
	}
	return append(out, field{"reason", f.Reason}, field{"advice", f.Advice})
}

// filled drops the fields that say nothing.
func filled(fields []field) []field {
	return slices.DeleteFunc(fields, func(f field) bool { return f.value == "" })
}

// seconds rounds to milliseconds: nobody greps for more.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
