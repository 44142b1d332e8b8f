package compat

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// What was overdue and is given back after all is said to have recovered, once.
func TestRecovered(t *testing.T) {
	open := map[tracker.Kind]func(a *app) (func() error, error){
		tracker.KindRows: func(a *app) (func() error, error) {
			rows, err := a.db.Query(a.bind("SELECT id FROM item WHERE id > ?"), 0)
			return rows.Close, err
		},
		tracker.KindTx: func(a *app) (func() error, error) {
			tx, err := a.db.Begin()
			return tx.Commit, err
		},
		tracker.KindConn: func(a *app) (func() error, error) {
			conn, err := a.db.Conn(a.ctx)
			return conn.Close, err
		},
	}
	onEach(t, backends, func(t *testing.T, b *backend) {
		for kind, open := range open {
			t.Run(kind.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := newApp(t, b)
					closeIt, err := open(a)
					a.must(err)
					time.Sleep(10 * time.Minute)
					a.must(closeIt())
					time.Sleep(time.Minute)
					a.wantRecovered(kind, 10*time.Minute)
					a.verify()
				})
			})
		}
	})
}

func (a *app) wantRecovered(k tracker.Kind, held time.Duration) {
	a.t.Helper()
	// Ten minutes of a finding have summaries at one, three and seven.
	want := []tracker.EventKind{tracker.EventOverdue, tracker.EventOngoing, tracker.EventOngoing, tracker.EventOngoing, tracker.EventRecovered}
	if got := a.events.kinds(); !slices.Equal(got, want) {
		a.t.Fatalf("events %v, want %v", got, want)
	}
	last := a.events.all()[len(want)-1]
	if last.Finding.Kind != k || last.Recovered != 1 || last.Held != held {
		a.t.Errorf("%d recovered after %v: %s", last.Recovered, last.Held, last.Finding)
	}
	s := a.tracker.Snapshot()
	if len(s.Findings) != 0 || len(s.Ended) != 1 || s.Totals != (tracker.Totals{Reported: 1, Overdue: 1, Recovered: 1}) {
		a.t.Errorf("findings %v, ended %v, totals %+v", s.Findings, s.Ended, s.Totals)
	}
}

// DBs that kept growing in number recover when they are closed, even if that is
// the last that is heard of the program.
func TestGrowthRecovers(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		synctest.Test(t, func(t *testing.T) {
			a := newApp(t, b)
			a.must(a.db.Close())
			eventually(t, "a finding", func() bool {
				a.must(openPerRequest(a))
				return len(a.events.all()) > 0
			})
			for _, closeDB := range a.leftovers {
				a.must(closeDB())
			}
			time.Sleep(time.Minute)
			want := []tracker.EventKind{tracker.EventOverdue, tracker.EventRecovered}
			if got := a.events.kinds(); !slices.Equal(got, want) {
				t.Errorf("events %v, want %v", got, want)
			}
			a.verify()
		})
	})
}

// What was overdue may move on. That isn't the end of the finding, and the next
// pause isn't another one.
func TestOverdueUsedAgain(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		synctest.Test(t, func(t *testing.T) {
			a := newApp(t, b)
			rows, err := a.db.Query("SELECT id FROM item")
			a.must(err)
			for range 3 {
				time.Sleep(45 * time.Second) // overdue
				rows.Next()
				time.Sleep(7 * time.Second) // a sweep sees that it isn't
				if found := a.tracker.Snapshot().Findings; len(found) > 0 {
					t.Errorf("findings:\n%s", describe(found))
				}
			}
			a.must(rows.Close())
			time.Sleep(time.Minute)
			want := []tracker.EventKind{tracker.EventOverdue, tracker.EventRecovered}
			got := slices.DeleteFunc(a.events.kinds(), func(k tracker.EventKind) bool { return k == tracker.EventOngoing })
			if !slices.Equal(got, want) {
				t.Errorf("events %v and summaries, want %v", got, want)
			}
			a.verify()
		})
	})
}

// Close of a DB returns nil at once, whoever still uses connections of it: the
// exit report says so.
func TestExitReportAfterDBClose(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		synctest.Test(t, func(t *testing.T) {
			a := newApp(t, b)
			rows, err := a.db.Query("SELECT id FROM item") // place: rows of a closed DB
			a.must(err)
			idle, err := a.db.Conn(a.ctx)
			a.must(err)
			a.must(idle.Close())
			a.must(a.db.Close())

			r := a.tracker.Close()
			if len(r.Findings) != 1 {
				t.Fatalf("exit report:\n%s", r)
			}
			f := r.Findings[0]
			if f.Kind != tracker.KindRows || f.Proof != tracker.ProofAtExit || !at(f.Site, placeOf(t, "rows of a closed DB")) {
				t.Errorf("exit report:\n%s", r)
			}
			if !strings.Contains(f.Reason, "its DB was closed while it was in use") {
				t.Errorf("reason: %s", f.Reason)
			}
			a.must(rows.Close())
		})
	})
}
