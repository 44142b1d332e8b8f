package tracker_test

import (
	"database/sql"
	"slices"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestProvenWhenOverdue: what is dropped is told as leaked, and nothing else
// about it, by a sweep that nobody asked for.
func TestProvenWhenOverdue(t *testing.T) {
	needLeakProfile(t)
	w := watch(t, tracker.WithKindThreshold(tracker.KindTx, time.Second), tracker.WithProofInterval(time.Millisecond))
	kept := must[*sql.Tx](t)(w.Begin())
	dropTx(t, w)
	dropTx(t, w)
	eventually(t, "two events", func() bool {
		tracker.ForgetProofs()
		return len(w.events.told()) == 2
	})
	told := w.events.told()
	slices.Sort(told)
	if want := []string{"leaked tx×2", "overdue tx×1"}; !slices.Equal(told, want) {
		t.Errorf("events %q, want %q", told, want)
	}
	if s := w.tracker.Snapshot(); s.Totals.Leaked != 2 || !s.LeakProfile.Available || s.LeakProfile.Asked == 0 || s.LeakProfile.At.IsZero() {
		t.Errorf("%+v, %+v", s.Totals, s.LeakProfile)
	}
	kept.Rollback()
}

// TestDBsProvenWhenTheyGrow: a DB that is dropped holds nothing that would be
// overdue.
func TestDBsProvenWhenTheyGrow(t *testing.T) {
	needLeakProfile(t)
	w := watch(t, tracker.WithKindThreshold(tracker.KindTx, time.Second), tracker.WithProofInterval(time.Millisecond))
	busy := must[*sql.Tx](t)(w.BeginTx(tracker.LongLived(ctx, "keeps the pool swept"), nil))
	next := time.Now()
	eventually(t, "a DB is leaked", func() bool {
		tracker.ForgetProofs()
		if time.Now().After(next) {
			dropDB(w)
			next = time.Now().Add(300 * time.Millisecond)
		}
		return w.tracker.Snapshot().Totals.Leaked > 3
	})
	f := w.tracker.Snapshot().Findings
	if len(f) != 1 || f[0].Kind != tracker.KindDB || f[0].Proof != tracker.ProofGoroutineLeak {
		t.Errorf("findings %v", f)
	}
	for _, p := range w.tracker.Snapshot().Pools {
		if p.Name == "shop" && p.Leaked > 0 {
			t.Errorf("the DB in use is called leaked: %+v", p)
		}
	}
	busy.Rollback()
}

func TestProofIntervalIsKept(t *testing.T) {
	needLeakProfile(t)
	for _, tt := range []struct {
		name string
		opts []tracker.Option
	}{
		{"never", []tracker.Option{tracker.WithProofInterval(0)}},
		{"once in a while", []tracker.Option{tracker.WithProofInterval(time.Hour)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watch(t, append(tt.opts, tracker.WithKindThreshold(tracker.KindTx, time.Second))...)
			w.tracker.Prove()
			dropTx(t, w)
			eventually(t, "an event", func() bool { return len(w.events.told()) > 0 })
			w.events.expect(t, "overdue tx×1")
			w.proven(t, 1) // asked for
			eventually(t, "the proof is told", func() bool { return len(w.events.told()) > 1 })
			w.events.expect(t, "overdue tx×1", "leaked tx×1")
		})
	}
}
