package compat

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// leak is a bug that is planted in a program. Its report is to name the line
// that is marked with its name.
type leak struct {
	name  string
	kind  tracker.Kind
	proof tracker.Proof // empty if the verdict is overdue
	// plant runs the buggy code once. It returns errPlanted where the bug is
	// in how an error is handled.
	plant func(*app) error
	// once is set where the bug can't strike again in the same program,
	// grows where it has to strike again and again to be seen.
	once, grows bool
}

var errPlanted = errors.New("planted")

var leaks = slices.Concat(rowsLeaks, txLeaks, poolLeaks)

// Every leak is found by itself, at its line, while the program runs; by an
// assertion; and in the exit report. It is one finding, however many handles
// it lost.
//
// In a bubble, time passes as soon as the program and the server have nothing
// to do: the thresholds are the real ones, and no load makes a difference.
func TestLeaks(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, l := range leaks {
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { l.test(newApp(t, b)) })
			})
		}
	})
}

// All leaks in one program are told apart, in real time, with thresholds that
// suit it.
func TestLeaksAtOnce(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		t.Parallel()
		const short = 50 * time.Millisecond
		a := newApp(t, b,
			tracker.WithKindThreshold(tracker.KindConn, short),
			tracker.WithKindThreshold(tracker.KindTx, short),
			tracker.WithKindThreshold(tracker.KindRows, short),
		)
		var planted []leak
		for _, l := range leaks {
			if !l.once {
				planted = append(planted, l)
				l.strike(a)
			}
		}
		eventually(t, "a finding for each of the leaks", func() bool {
			runtime.GC()
			found := a.tracker.Snapshot().Findings
			missing := slices.DeleteFunc(slices.Clone(planted), func(l leak) bool {
				return slices.ContainsFunc(found, func(f tracker.Finding) bool { return l.is(a, f) })
			})
			for _, l := range missing {
				if l.grows {
					l.strike(a)
				}
			}
			return len(missing) == 0
		})
		if found := a.tracker.Snapshot().Findings; len(found) != len(planted) {
			t.Errorf("%d findings for %d leaks:\n%s", len(found), len(planted), describe(found))
		}
	})
}

// strike runs the buggy code once.
func (l leak) strike(a *app) {
	a.t.Helper()
	if err := l.plant(a); err != nil && !errors.Is(err, errPlanted) {
		a.t.Fatal(err)
	}
}

// is tells whether a finding is the leak.
func (l leak) is(a *app, f tracker.Finding) bool {
	a.t.Helper()
	state := tracker.StateOverdue
	if l.proof != "" {
		state = tracker.StateLeaked
	}
	return at(f.Site, placeOf(a.t, l.name)) && f.Kind == l.kind && f.State == state && f.Proof == l.proof
}

func (l leak) test(a *app) {
	a.t.Helper()
	a.must(a.db.Ping()) // one of the handles is opened on an idle connection
	want := l.plantAll(a)
	l.wantFinding(a, want)
	l.wantEvents(a)
	l.wantAssertion(a)
	l.wantExitReport(a)
}

// plantAll plants the bug and waits until a sweep has found it. It returns the
// number of handles that are lost.
func (l leak) plantAll(a *app) (handles int) {
	a.t.Helper()
	handles = 3
	if l.once {
		handles = 1
	}
	for range handles {
		l.strike(a)
	}
	eventually(a.t, "a finding", func() bool {
		runtime.GC()
		if len(a.events.all()) > 0 {
			return true
		}
		if l.grows {
			l.strike(a)
		}
		return false
	})
	return handles
}

func (l leak) wantFinding(a *app, handles int) {
	a.t.Helper()
	found := a.tracker.Snapshot().Findings
	if len(found) != 1 {
		a.t.Fatalf("%d findings:\n%s", len(found), describe(found))
	}
	f := found[0]
	if !l.is(a, f) {
		a.t.Errorf("want %v (%s) at the line marked %q, got\n%s", l.kind, l.proof, l.name, f)
	}
	if !l.grows && f.Count != handles {
		a.t.Errorf("the finding has %d handles, want %d", f.Count, handles)
	}
	if l.grows && f.Count < 8 && f.Kind == tracker.KindStmt {
		a.t.Errorf("found to grow with %d statements", f.Count)
	}
	if l.grows && !strings.HasPrefix(f.Reason, "growing: ") {
		a.t.Errorf("reason %q, want the growth", f.Reason)
	}
}

// wantEvents: one finding is one event.
func (l leak) wantEvents(a *app) {
	a.t.Helper()
	want := tracker.EventOverdue
	if l.proof != "" {
		want = tracker.EventLeaked
	}
	got := a.events.kinds()
	if len(got) != 1 || got[0] != want {
		a.t.Errorf("events %v, want [%v]", got, want)
	}
}

// wantAssertion: a test of the program would fail, and say where to look.
func (l leak) wantAssertion(a *app) {
	a.t.Helper()
	var test fakeTB
	opts := []tracker.AssertOption{tracker.Grace(0)}
	if l.kind == tracker.KindDB {
		opts = append(opts, tracker.IncludeDBs())
	}
	a.tracker.AssertNoLeaks(&test, opts...)
	place := placeOf(a.t, l.name)
	line := fmt.Sprintf("%s:%d\n", place.File, place.Line)
	proof := l.proof
	if proof == "" {
		proof = tracker.ProofAtAssert
	}
	verdict := fmt.Sprintf("%s LEAKED (%s)", l.kind, proof)
	if !strings.Contains(test.log, verdict) || !strings.Contains(test.log, line) {
		a.t.Errorf("the assertion doesn't say %q and %q:\n%s", verdict, line, test.log)
	}
	if n := strings.Count(test.log, " LEAKED ("); n != 1 && l.kind != tracker.KindDB {
		a.t.Errorf("the assertion names %d culprits:\n%s", n, test.log)
	}
}

// wantExitReport: the report at the end of the program has it, too, and beside
// it only the program's DB, which is not closed yet. Statements that nobody
// closed are part of it.
func (l leak) wantExitReport(a *app) {
	a.t.Helper()
	proof := l.proof
	if proof == "" {
		proof = tracker.ProofAtExit
	}
	place := placeOf(a.t, l.name)
	want := 2
	if l.kind == tracker.KindStmt || a.pool().Closed {
		want = 1
	}
	r := a.tracker.Close()
	if len(r.Findings) != want {
		a.t.Errorf("%d findings at exit, want %d:\n%s", len(r.Findings), want, r)
	}
	for _, f := range r.Findings {
		if at(f.Site, place) && f.Kind == l.kind && f.State == tracker.StateLeaked && f.Proof == proof {
			return
		}
		if l.kind == tracker.KindStmt && f.Kind == tracker.KindDB && slices.ContainsFunc(f.Children, func(c tracker.Child) bool {
			return c.Kind == l.kind && at(c.Site, place)
		}) {
			return
		}
	}
	a.t.Errorf("the exit report doesn't have the %v at the line marked %q:\n%s", l.kind, l.name, r)
}

func describe(fs []tracker.Finding) string {
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

// fakeTB is a test that may fail.
type fakeTB struct{ log string }

func (tb *fakeTB) Errorf(format string, args ...any) { tb.log += fmt.Sprintf(format, args...) }
