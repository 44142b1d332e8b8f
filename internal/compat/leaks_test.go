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

// Every leak is found by itself, at its line, at its moment, while the program
// runs; by an assertion; and in the exit report. It is one finding, however
// many handles it lost. Here the goroutine-leak profile has no say.
//
// In a bubble, time passes as soon as the program and the server have nothing
// to do: the thresholds are the real ones, and no load makes a difference.
func TestLeaks(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, l := range allLeaks() {
			if !l.isOn(b) || l.locks || l.known == atScopeEnd { // see TestLockedLeaks, TestScopes
				continue
			}
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { l.test(newApp(t, b)) })
			})
		}
	})
}

// No time passes in a bubble while a goroutine waits for a lock: these programs
// run in real time, beside each other.
func TestLockedLeaks(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		t.Parallel()
		type run struct {
			leak
			*app
		}
		var runs []run
		for _, l := range allLeaks() {
			if l.locks && l.isOn(b) {
				runs = append(runs, run{l, newShortApp(t, b)})
			}
		}
		for _, r := range runs {
			r.strike(r.app)
		}
		for _, r := range runs {
			r.await(r.app, time.Now(), 1)
		}
	})
}

// Where a leak takes all connections from those who wait, the pool is reported
// as exhausted, with the leak's line, before anything is overdue.
func TestExhaustingLeaks(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		t.Parallel()
		apps := make(map[string]*app)
		for _, l := range allLeaks() {
			if l.exhausts {
				apps[l.name] = newApp(t, b, oftenSwept)
				l.strike(apps[l.name])
			}
		}
		for name, a := range apps {
			eventually(t, name+": the pool is exhausted", func() bool { return a.exhausted() != nil })
			if h := a.exhausted().Holders; len(h) != 1 || !at(h[0].Handles.Site, placeOf(t, name)) || h[0].Handles.State != tracker.StateOpen {
				t.Errorf("%s: held by %v", name, h)
			}
		}
	})
}

// shortThreshold is for programs that lose handles in real time.
const shortThreshold = 400 * time.Millisecond

func newShortApp(t *testing.T, b *backend) *app {
	t.Helper()
	return newApp(t, b, tracker.WithProofInterval(0),
		tracker.WithKindThreshold(tracker.KindConn, shortThreshold),
		tracker.WithKindThreshold(tracker.KindTx, shortThreshold),
		tracker.WithKindThreshold(tracker.KindRows, shortThreshold))
}

// All leaks in one program are told apart, in real time.
func TestLeaksAtOnce(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		t.Parallel()
		a := newShortApp(t, b)
		var planted []leak
		for _, l := range allLeaks() {
			if l.isOn(b) && !l.once && l.known != atScopeEnd {
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
				if l.known == afterCalls {
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

// is tells whether a finding is the leak, as far as the goroutine-leak profile
// was not asked.
func (l leak) is(a *app, f tracker.Finding) bool {
	a.t.Helper()
	if l.known == atNextGC {
		return at(f.Site, placeOf(a.t, l.name)) && f.Kind == l.kind && f.State == tracker.StateLeaked && f.Proof == tracker.ProofUnreachable
	}
	return l.isOverdue(a, f)
}

func (l leak) isOverdue(a *app, f tracker.Finding) bool {
	a.t.Helper()
	kind, place := l.culprit(a)
	return at(f.Site, place) && f.Kind == kind && f.State == tracker.StateOverdue && f.Proof == ""
}

// culprit is who is to blame without a proof.
func (l leak) culprit(a *app) (tracker.Kind, tracker.Frame) {
	a.t.Helper()
	if l.conn != "" {
		return tracker.KindConn, placeOf(a.t, l.conn)
	}
	return l.kind, placeOf(a.t, l.name)
}

func (l leak) test(a *app) {
	a.t.Helper()
	a.must(a.db.Ping()) // one of the handles is opened on an idle connection
	began, strikes := time.Now(), 3
	if l.once {
		strikes = 1
	}
	for range strikes {
		l.strike(a)
	}
	l.await(a, began, strikes)
}

// await waits until the leak is known, which began with the first of the
// strikes, and checks what is said of it.
func (l leak) await(a *app, began time.Time, strikes int) {
	a.t.Helper()
	if l.known == atAssert || l.known == atExit {
		a.stays(time.Hour)
	} else {
		strikes = l.awaitFinding(a, strikes)
		l.wantFinding(a, strikes)
		l.wantEvent(a, time.Since(began), a.events.all()[0].At.Sub(began))
	}
	l.wantAssertion(a)
	l.wantExitReport(a)
}

// awaitFinding waits until a sweep has found all, and strikes again meanwhile
// if that is what it takes.
func (l leak) awaitFinding(a *app, strikes int) int {
	a.t.Helper()
	eventually(a.t, "a finding for "+l.name, func() bool {
		if l.known == atNextGC {
			runtime.GC()
		}
		told := slices.Contains(a.events.kinds(), l.event())
		if l.known != afterCalls || told {
			return told && (l.known == afterCalls || l.count(a) >= strikes*max(1, l.handles))
		}
		l.strike(a)
		strikes++
		return false
	})
	return strikes
}

// count is how many handles there are in findings.
func (l leak) count(a *app) (n int) {
	for _, f := range a.tracker.Snapshot().Findings {
		n += f.Count
	}
	return n
}

func (l leak) wantFinding(a *app, strikes int) {
	a.t.Helper()
	found := a.tracker.Snapshot().Findings
	if len(found) != 1 {
		a.t.Fatalf("%d findings:\n%s", len(found), describe(found))
	}
	f := found[0]
	if !l.is(a, f) {
		a.t.Errorf("want %v (%s) at the line marked %q, got\n%s", l.kind, l.known, l.name, f)
	}
	grows := strings.HasPrefix(f.Reason, "growing: ")
	if l.known == afterCalls {
		// The last strikes may have come after the sweep.
		if !grows || strikes > 12 || f.Count > strikes*max(1, l.handles) || f.Count < 4 {
			a.t.Errorf("%d handles after %d calls: %s", f.Count, strikes, f.Reason)
		}
	} else if grows || f.Count != strikes*max(1, l.handles) {
		a.t.Errorf("the finding has %d handles after %d calls: %s", f.Count, strikes, f.Reason)
	}
}

// event is what observers are told.
func (l leak) event() tracker.EventKind {
	if l.known == atNextGC {
		return tracker.EventLeaked
	}
	return tracker.EventOverdue
}

// wantEvent: one finding is one event, neither before its moment nor long
// after. began is how long ago the program did, event how long after that the
// event came.
func (l leak) wantEvent(a *app, began, event time.Duration) {
	a.t.Helper()
	want, got := l.event(), a.events.kinds()
	if l.locks && l.known == atNextGC { // what holds it may be overdue before
		got = slices.DeleteFunc(got, func(k tracker.EventKind) bool { return k != want })
	}
	if len(got) != 1 || got[0] != want {
		a.t.Errorf("%s: events %v, want [%v]", l.name, got, want)
	}
	// Sweeps are five seconds apart; what is garbage is so at the third.
	const threshold, sweep = tracker.DefaultThreshold, 5 * time.Second
	switch {
	case l.locks:
	case l.known == atContextEnd && event > 2*sweep,
		l.known == atThreshold && (event < threshold || event > threshold+2*sweep),
		l.known == atNextGC && event > 4*sweep,
		event > began:
		a.t.Errorf("known after %v, want it at the %s", event, l.known)
	}
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
