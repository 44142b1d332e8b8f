package compat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// wantAssertion: a test of the program would fail, and say where to look.
func (l leak) wantAssertion(a *app) {
	a.t.Helper()
	var test fakeTB
	opts := []tracker.AssertOption{tracker.Grace(0)}
	switch {
	case l.known == atExit:
		a.tracker.AssertNoLeaks(&test, opts...)
		if test.log != "" {
			a.t.Errorf("the assertion says\n%s", test.log)
		}
		return
	case l.kind == tracker.KindDB:
		opts = append(opts, tracker.IncludeDBs())
	}
	kind, place, proof := l.proofAt(a, tracker.ProofAtAssert)
	if proof == tracker.ProofGoroutineLeak {
		// Its goroutine may be about to wait for what it will wait for.
		eventually(a.t, "the proof", func() bool { return a.tracker.Prove() && len(a.leaked()) > 0 })
	}
	a.tracker.AssertNoLeaks(&test, opts...)
	line := fmt.Sprintf("%s:%d\n", place.File, place.Line)
	verdict := fmt.Sprintf("%s LEAKED (%s)", kind, proof)
	if !strings.Contains(test.log, verdict) || !strings.Contains(test.log, line) {
		a.t.Errorf("the assertion doesn't say %q and %q:\n%s", verdict, line, test.log)
	}
	if n := strings.Count(test.log, " LEAKED ("); n != 1 && l.kind != tracker.KindDB {
		a.t.Errorf("the assertion names %d culprits:\n%s", n, test.log)
	}
}

// proofAt is the verdict when the test or the program ends: in real time, the
// goroutine-leak profile is asked.
func (l leak) proofAt(a *app, end tracker.Proof) (tracker.Kind, tracker.Frame, tracker.Proof) {
	a.t.Helper()
	switch {
	case l.known == atNextGC:
		return l.kind, placeOf(a.t, l.name), tracker.ProofUnreachable
	case !inBubble() && hasLeakProfile() && l.provenOn(a.backend):
		return l.kind, placeOf(a.t, l.name), tracker.ProofGoroutineLeak
	}
	kind, place := l.culprit(a)
	return kind, place, end
}

// wantExitReport: the report at the end of the program has it, too, and beside
// it only the program's DB, which is not closed yet. Statements that nobody
// closed are part of it.
func (l leak) wantExitReport(a *app) {
	a.t.Helper()
	kind, place, proof := l.proofAt(a, tracker.ProofAtExit)
	want := 2
	if l.kind == tracker.KindStmt || a.pool().Closed {
		want = 1
	}
	r := a.tracker.Close()
	if len(r.Findings) != want {
		a.t.Errorf("%d findings at exit, want %d:\n%s", len(r.Findings), want, r)
	}
	for _, f := range r.Findings {
		if at(f.Site, place) && f.Kind == kind && f.State == tracker.StateLeaked && f.Proof == proof {
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
