package tracker

import (
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/goroutines"
	"github.com/dbleaks-go/dbleaks/internal/record"
)

// ForgetProofs makes the next proof as early as if none had been made.
func ForgetProofs() {
	proofs.mu.Lock()
	defer proofs.mu.Unlock()
	proofs.took = 0
}

// DiagnoseNow is Diagnose for who can't wait: what may be a deadlock is one.
func (t *Tracker) DiagnoseNow() Diagnosis {
	d, seen, _ := t.diagnose(takeDump)
	for _, s := range seen {
		d.Deadlocks = append(d.Deadlocks, s.Deadlock)
	}
	slices.SortFunc(d.Deadlocks, func(a, b Deadlock) int { return slices.Compare(a.Pools, b.Pools) })
	return d
}

// DiagnoseDump is DiagnoseNow for a dump as the runtime would have written it so
// long ago.
func (t *Tracker) DiagnoseDump(text string, old time.Duration) Diagnosis {
	d, seen, _ := t.diagnose(func() (*goroutines.Dump, bool) {
		dump := goroutines.Parse(text)
		dump.TakenAt = time.Now().Add(-old)
		return dump, true
	})
	for _, s := range seen {
		d.Deadlocks = append(d.Deadlocks, s.Deadlock)
	}
	return d
}

// MayHave lists the goroutines of a dump that may have been handed a handle of
// the age.
func MayHave(t *Tracker, dump string, age time.Duration) (ids []int64) {
	w := newWorld(t.cfg.Load(), goroutines.Parse(dump), nil)
	for i := range w.dump.Goroutines {
		if g := &w.dump.Goroutines[i]; w.mayHave(g, []*record.View{{Age: age}}) {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

// Usual is what is said of the times that handles were held, next to their
// threshold.
func Usual(k Kind, h HeldTimes, threshold time.Duration) string {
	return usual(k, h, record.Limit{Threshold: threshold})
}
