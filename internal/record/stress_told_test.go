package record_test

import (
	"database/sql"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestEveryReportedEndIsToldInTime uses a DB from many goroutines, on connections
// that stay open, while one sweep after the other reports all that is open. The end
// of each that was reported must be told once, and in time: one that is neither
// seen any more nor told of would be taken for gone with its connection.
func TestEveryReportedEndIsToldInTime(t *testing.T) {
	// Long before the tracker's own first sweep, after five seconds, takes ends.
	const long = 300 * time.Millisecond
	for range *rounds {
		start := time.Now()
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
		for i := range workers {
			wg.Go(func() {
				for !done.Load() {
					inTurn[i%len(inTurn)](db)
				}
			})
		}
		s := sweeper{t: t, pool: tr.Recorder().Pools()[0], open: make(map[record.Key]bool)}
		for time.Since(start) < long && !t.Failed() {
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

// inTurn are uses of a DB, of which each opens one handle.
var inTurn = []func(db *sql.DB){
	func(db *sql.DB) {
		if stmt, err := db.Prepare("update"); err == nil {
			db.Ping()
			stmt.Close()
		}
	},
	func(db *sql.DB) {
		if conn, err := db.Conn(ctx); err == nil {
			conn.PingContext(ctx)
			conn.Close()
		}
	},
	func(db *sql.DB) {
		if rows, err := db.Query("rows 1"); err == nil {
			rows.Close()
		}
	},
	func(db *sql.DB) {
		if tx, err := db.Begin(); err == nil {
			tx.Commit()
		}
	},
}

// sweeper reports what is open in a pool.
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
		if v.Call() { // which is seen no more once it has opened something
			continue
		}
		key := record.Key(fmt.Sprint(v.ID))
		if before, ok := v.Report(key); ok && before == record.ToldNothing {
			s.open[key] = true
			s.reported++
		}
	}
}
