package record_test

import (
	"database/sql"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestEveryReportedStmtIsToldOnce prepares and closes statements from many
// goroutines, on connections that stay open, while one sweep after the other
// reports all that is open. The end of each that was reported must be told once,
// and in time: one that is neither seen any more nor told of would be taken for
// gone with its connection.
func TestEveryReportedStmtIsToldOnce(t *testing.T) {
	const enough = 1000
	for range *rounds {
		tr, err := tracker.New(tracker.WithProofInterval(0))
		if err != nil {
			t.Fatal(err)
		}
		db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr))
		db.SetMaxOpenConns(workers / 2)
		db.SetMaxIdleConns(workers / 2)
		db.Ping() // so that it is known who tells of connections given back

		var done atomic.Bool
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for !done.Load() {
					prepareAndClose(t, db)
				}
			})
		}
		s := sweeper{t: t, pool: tr.Recorder().Pools()[0], open: make(map[record.Key]bool)}
		for s.reported < enough && !t.Failed() {
			s.sweep()
			runtime.Gosched()
		}
		done.Store(true)
		wg.Wait()
		s.sweep()
		if len(s.open) > 0 {
			t.Errorf("of %d reported, the ends of %d were not told", s.reported, len(s.open))
		}
		db.Close()
	}
}

func prepareAndClose(t *testing.T, db *sql.DB) {
	stmt, err := db.Prepare("prepareAndClose")
	if err != nil {
		t.Error(err)
		return
	}
	db.Ping()
	stmt.Close()
}

// sweeper reports the statements of a pool.
type sweeper struct {
	t        *testing.T
	pool     *record.Pool
	open     map[record.Key]bool // was reported, and has not ended
	reported int
}

func (s *sweeper) sweep() {
	views, _ := s.pool.Look(eager, true)
	seen := make(map[record.Key]bool)
	for i := range views {
		seen[views[i].Reported] = true
	}
	for _, e := range s.pool.TakeEnded() {
		if !s.open[e.Key] {
			s.t.Errorf("the end of %s was told, which isn't open", e.Key)
		}
		delete(s.open, e.Key)
	}
	for key := range s.open {
		if !seen[key] {
			s.t.Errorf("%s is neither seen nor told of", key)
			delete(s.open, key)
		}
	}
	for i := range views {
		v := &views[i]
		if v.Kind != record.KindStmt {
			continue
		}
		key := record.Key(fmt.Sprint(v.ID))
		if before, ok := v.Report(key); ok && before == record.ToldNothing {
			s.open[key] = true
			s.reported++
		}
	}
}
