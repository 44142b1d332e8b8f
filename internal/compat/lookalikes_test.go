package compat

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// A look-alike is in no report: not while it runs, not when thresholds have
// passed since, not when its test ends or its program. In a bubble, time is no
// matter of load: nothing is overdue because a machine is slow.
func TestLookalikes(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, l := range allLookalikes() {
			if l.isOn(b) && !l.waits {
				t.Run(l.name, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						a := newApp(t, b)
						a.must(l.run(a))
						a.stays(time.Hour)
						l.finish(a)
					})
				})
			}
		}
	})
}

// Nor is it proven, by the garbage collector or by the goroutine-leak profile,
// as often as they are asked. This is real time, which bubbles keep both from
// seeing.
func TestLookalikesNotProven(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, l := range allLookalikes() {
			if l.isOn(b) && (l.waits || hasLeakProfile()) {
				t.Run(l.name, func(t *testing.T) {
					t.Parallel()
					a := newApp(t, b)
					a.must(l.run(a))
					a.prove(func() bool { return a.pool().InUse == 0 && !a.hasOther() })
					l.finish(a)
				})
			}
		}
	})
}

func (l lookalike) finish(a *app) {
	a.t.Helper()
	a.verify()
	a.wantSilence()
	if l.listed != "" && !slices.Contains(a.listed, l.listed) {
		a.t.Errorf("it was never listed as %s", l.listed)
	}
}

// stays lets time pass, during which nothing may be found. In real time it
// looks for proofs instead, a few times.
func (a *app) stays(d time.Duration) {
	a.t.Helper()
	switch {
	case inBubble():
		time.Sleep(d)
	case a.stayed < 2:
		a.stayed++
		runtime.GC()
		a.tracker.Prove()
	}
	a.wantSilence()
}

// wantSilence: nothing was found, now or ever.
func (a *app) wantSilence() {
	a.t.Helper()
	s := a.tracker.Snapshot()
	if len(s.Findings) > 0 {
		a.t.Errorf("findings:\n%s", describe(s.Findings))
	}
	for _, e := range a.events.all() {
		a.t.Errorf("event %v:\n%s", e.Kind, e.Finding)
	}
	if len(s.Ended) > 0 || s.Totals.Overdue+s.Totals.Leaked > 0 {
		a.t.Errorf("there were findings: %+v, %+v", s.Ended, s.Totals)
	}
}

// wantOpen: the one handle in use is of the kind, and of the marked line.
func (a *app) wantOpen(k tracker.Kind, place string) tracker.Finding {
	a.t.Helper()
	var open []tracker.Finding
	for _, f := range a.tracker.Snapshot().Open {
		if f.Kind != tracker.KindDB {
			open = append(open, f)
		}
	}
	if len(open) != 1 || open[0].Kind != k || open[0].Count != 1 || !at(open[0].Site, placeOf(a.t, place)) {
		a.t.Fatalf("want 1 %v open, of the line marked %q; got\n%s", k, place, describe(open))
	}
	switch f := open[0]; {
	case f.LongLived != "":
		a.listed = append(a.listed, asPurpose)
	case f.Busy != "":
		a.listed = append(a.listed, asBusy)
	default:
		a.listed = append(a.listed, asOpen)
	}
	return open[0]
}

// prove asks for proofs until it is over, and in vain. Where there is no
// goroutine-leak profile, there is the garbage collector.
func (a *app) prove(over func() bool) {
	a.t.Helper()
	eventually(a.t, "the end of what is kept", func() bool {
		if !a.tracker.Prove() {
			runtime.GC()
		}
		if found := a.leaked(); len(found) > 0 {
			a.t.Errorf("proven, though it isn't so:\n%s", describe(found))
		}
		return over()
	})
	if n := a.tracker.Snapshot().Totals.Leaked; n != 0 {
		a.t.Errorf("%d were leaked", n)
	}
}

// hasOther tells whether the program has another DB open.
func (a *app) hasOther() bool {
	return slices.ContainsFunc(a.tracker.Snapshot().Pools, func(p tracker.Pool) bool { return p.Name == "other" })
}
