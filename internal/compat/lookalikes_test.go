package compat

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// lookalike is code that looks as if it leaked and doesn't.
type lookalike struct {
	name string
	run  func(*app) error
	// on are the backends that it is for; nil means all.
	on []*backend
}

var lookalikes = slices.Concat(rowsLookalikes, txLookalikes, poolLookalikes)

// A look-alike is in no report: not while it runs, not when thresholds have
// passed since, not when its test ends or its program. In a bubble, time is no
// matter of load: nothing is overdue because a machine is slow.
func TestLookalikes(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, l := range lookalikes {
			if l.on != nil && !slices.Contains(l.on, b) {
				continue
			}
			t.Run(l.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := newApp(t, b)
					a.must(l.run(a))
					a.stays(time.Hour)
					a.verify()
					a.wantSilence()
				})
			})
		}
	})
}

// stays lets time pass, during which nothing may be found.
func (a *app) stays(d time.Duration) {
	a.t.Helper()
	time.Sleep(d)
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
