package orm

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// app is what a program runs in: a database, and, if it is watched, a tracker
// of its own. The methods fail the test, so that programs are short.
type app struct {
	*backend
	t   *testing.T
	ctx context.Context
	// driver is the name of a registered driver, and dsn its data source,
	// for libraries that want to open the DB themselves. It is wrapped if the
	// program is watched.
	driver, dsn string
	db          *sql.DB          // the same, opened
	tracker     *tracker.Tracker // nil if the program isn't watched
	events      *eventLog
	// saw is what the program saw of the database.
	saw []string
	// ends are what the program does when it ends, the latest first.
	ends []func() error
}

// newApp starts a program for as long as the test runs, on a database that
// has no tables, or only what the statements make.
func newApp(t *testing.T, b *backend, watched bool, statements ...string) *app {
	t.Helper()
	a := &app{backend: b, t: t, ctx: t.Context(), driver: b.driver, dsn: b.source(t), events: new(eventLog)}
	bare, err := sql.Open(a.driver, a.dsn)
	a.must(err)
	for _, s := range append(slices.Clone(dropAll), statements...) {
		_, err := bare.ExecContext(a.ctx, s)
		a.must(err)
	}
	a.must(bare.Close())
	if watched {
		a.tracker, err = tracker.New(tracker.WithObserver(a.events))
		a.must(err)
		d := bare.Driver()
		a.driver = newDriverName(b)
		driverwrap.Register(a.driver, d, driverwrap.WithTracker(a.tracker))
	}
	a.db, err = sql.Open(a.driver, a.dsn)
	a.must(err)
	a.ends = append(a.ends, a.db.Close)
	t.Cleanup(a.end)
	return a
}

// dropAll removes what the programs make.
var dropAll = []string{
	"DROP TABLE IF EXISTS book",
	"DROP TABLE IF EXISTS goose_db_version",
}

// source is where a program connects to. An embedded database is each program's
// own.
func (b *backend) source(t *testing.T) string {
	if b.dsn == "" {
		return t.TempDir() + "/test.db"
	}
	return b.dsn
}

var lastDriver int

// newDriverName returns a name for a wrapped driver: there is no way to give
// one up. It starts with the driver's own name, from which some libraries know
// the dialect.
func newDriverName(b *backend) string {
	lastDriver++
	return fmt.Sprintf("%s-watched-%d", b.driver, lastDriver)
}

// end ends the program, unless it has.
func (a *app) end() {
	a.t.Helper()
	slices.Reverse(a.ends)
	for _, end := range a.ends {
		if err := end(); err != nil {
			a.t.Error(err)
		}
	}
	a.ends = nil
}

// atEnd is for what the program opens for its whole run.
func (a *app) atEnd(f func() error) { a.ends = append(a.ends, f) }

// must stops the test if something failed.
func (a *app) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// note keeps what the program saw.
func (a *app) note(what ...any) { a.saw = append(a.saw, fmt.Sprintln(what...)) }

// verify is how a test ends whose program gave everything back, or
// keeps it until it has ended.
func (a *app) verify(keeps bool) {
	a.t.Helper()
	idle := 0
	for _, p := range a.tracker.Snapshot().Pools {
		idle += p.Idle
	}
	if idle == 0 {
		a.t.Error("the tracker knows of no connection that the program used")
	}
	if !keeps {
		a.tracker.AssertNoLeaks(a.t)
	}
	a.end()
	a.tracker.AssertNoLeaks(a.t, tracker.IncludeDBs())
	s := a.tracker.Snapshot()
	if len(s.Pools)+len(s.Findings)+len(s.Open)+len(s.Ended) > 0 {
		a.t.Errorf("left after the end: %+v", s)
	}
	if events := a.events.all(); len(events) > 0 {
		a.t.Errorf("events: %+v", events)
	}
}

// wantLeak checks that the handles that are open have one root cause, a handle
// of the kind that the line marked with the name opened, and that an assertion
// says so.
func (a *app) wantLeak(kind tracker.Kind, place string) {
	a.t.Helper()
	want := placeOf(a.t, place)
	s := a.tracker.Snapshot()
	found := slices.DeleteFunc(append(s.Findings, s.Open...), func(f tracker.Finding) bool {
		return f.Kind == tracker.KindDB // the program is still running
	})
	if len(found) != 1 {
		a.t.Errorf("%d findings, want 1", len(found))
	}
	for _, f := range found {
		if f.Kind != kind || f.Count != 1 || f.Site.File != want.File || f.Site.Line != want.Line {
			a.t.Errorf("want one %v, opened at %s:%d, got\n%s", kind, want.File, want.Line, f)
		}
	}
	var test fakeTB
	a.tracker.AssertNoLeaks(&test, tracker.Grace(0))
	verdict, line := kind.String()+" LEAKED (", fmt.Sprintf("%s:%d\n", want.File, want.Line)
	if strings.Count(test.log, " LEAKED (") != 1 || !strings.Contains(test.log, verdict) || !strings.Contains(test.log, line) {
		a.t.Errorf("the assertion is to say %q and %q, and no more:\n%s", verdict, line, test.log)
	}
}

// fakeTB is a test that may fail.
type fakeTB struct{ log string }

func (tb *fakeTB) Errorf(format string, args ...any) { tb.log += fmt.Sprintf(format, args...) }

// eventLog is an observer that keeps everything it is told.
type eventLog struct {
	mu     sync.Mutex
	events []tracker.Event
}

// Observe keeps an event.
func (l *eventLog) Observe(e tracker.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *eventLog) all() []tracker.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}
