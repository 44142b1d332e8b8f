package compat

import (
	"runtime/pprof"
	"slices"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// The tests of proofs by the goroutine-leak profile run in real time: in a
// bubble the profile is blind.

func hasLeakProfile() bool { return pprof.Lookup("goroutineleak") != nil }

func needLeakProfile(t *testing.T) {
	t.Helper()
	if !hasLeakProfile() {
		t.Skip("this Go has no goroutine-leak profile: it takes Go 1.27, or GOEXPERIMENT=goroutineleakprofile")
	}
}

// What nobody who can run reaches is proven at once, at its line, as one
// finding, while what else the program holds is not; and so say an assertion
// and the exit report. What has something that runs lead to it is beyond this
// proof.
func TestProvenByLeakProfile(t *testing.T) {
	needLeakProfile(t)
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, l := range allLeaks() {
			if !l.isOn(b) || l.known == atNextGC || l.known == atScopeEnd {
				continue
			}
			t.Run(l.name, func(t *testing.T) {
				a := newApp(t, b)
				if l.provenOn(b) {
					l.prove(a)
				} else {
					l.dontProve(a)
				}
			})
		}
	})
}

func (l leak) prove(a *app) {
	a.t.Helper()
	tx, err := a.db.Begin()
	a.must(err)
	l.strike(a)
	found := a.proven()
	a.tracker.Prove()
	if again := a.leaked(); len(found) != 1 || len(again) != 1 {
		a.t.Fatalf("first\n%sthen\n%s", describe(found), describe(again))
	}
	l.checkProven(a, found[0])
	if r := a.tracker.Close(); !slices.ContainsFunc(r.Findings, func(f tracker.Finding) bool { return l.isProven(a, f) }) {
		a.t.Errorf("exit report:\n%s", r)
	}
	a.must(tx.Rollback())
}

func (l leak) isProven(a *app, f tracker.Finding) bool {
	a.t.Helper()
	return at(f.Site, placeOf(a.t, l.name)) && f.Kind == l.kind && f.State == tracker.StateLeaked &&
		f.Proof == tracker.ProofGoroutineLeak
}

func (l leak) checkProven(a *app, f tracker.Finding) {
	a.t.Helper()
	if !l.isProven(a, f) || f.Count != f.Leaked || !strings.Contains(f.Reason, l.where) || (l.where == "") != strings.HasPrefix(f.Reason, "dropped") {
		a.t.Errorf("want a %v of the line marked %q, %q in the reason; got\n%s", l.kind, l.name, l.where, f)
	}
	var test fakeTB
	a.tracker.AssertNoLeaks(&test, tracker.Grace(0), tracker.IncludeDBs())
	if want := l.kind.String() + " LEAKED (goroutine leak)"; !strings.Contains(test.log, want) {
		a.t.Errorf("the assertion doesn't say %q:\n%s", want, test.log)
	}
}

// proven asks for proofs until something is leaked, and returns all that is.
func (a *app) proven() []tracker.Finding {
	a.t.Helper()
	eventually(a.t, "a proof", func() bool {
		if !a.tracker.Prove() {
			a.t.Fatal("can't prove anything")
		}
		return len(a.leaked()) > 0
	})
	return a.leaked()
}

func (a *app) leaked() []tracker.Finding {
	return slices.DeleteFunc(a.tracker.Snapshot().Findings, func(f tracker.Finding) bool { return f.State != tracker.StateLeaked })
}

// dontProve: what is lost, but has something that runs lead to it, is beyond
// this proof. The documentation says so.
func (l leak) dontProve(a *app) {
	a.t.Helper()
	l.strike(a)
	for range 2 {
		if !a.tracker.Prove() {
			a.t.Fatal("can't prove anything")
		}
	}
	if found := a.leaked(); len(found) > 0 {
		a.t.Errorf("proven, though something leads to it:\n%s", describe(found))
	}
}
