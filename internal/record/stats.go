package record

import (
	"database/sql"
	"sync"
	"sync/atomic"
	"time"
)

// statsReader reads the counters of a *sql.DB, which takes its lock.
// database/sql holds that lock during some calls into the driver; behind one
// that hangs, a report must not hang too.
type statsReader struct {
	read    atomic.Pointer[func() (sql.DBStats, bool)] // nil if the *sql.DB is unknown
	reading atomic.Bool

	mu    sync.Mutex // guards the rest
	last  sql.DBStats
	known bool
}

// statsPatience is how long a reader waits for the lock.
const statsPatience = 100 * time.Millisecond

// SetStats tells how to read the pool's counters. The function must not keep
// the *sql.DB alive and returns false once it is gone.
func (p *Pool) SetStats(read func() (sql.DBStats, bool)) {
	if p != nil {
		p.stats.read.Store(&read)
	}
}

// Stats returns the counters of database/sql, if they can be had. Where the
// *sql.DB doesn't answer, they are the last ones known.
func (p *Pool) Stats() (sql.DBStats, bool) {
	p.freshStats()
	return p.stats.latest()
}

// latest returns the counters as they were last read.
func (s *statsReader) latest() (sql.DBStats, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.known
}

// freshStats returns the counters as they are now, or false.
func (p *Pool) freshStats() (stats sql.DBStats, fresh bool) {
	s := &p.stats
	read := s.read.Load()
	if read == nil {
		return sql.DBStats{}, false
	}
	if s.reading.CompareAndSwap(false, true) { // else one is waiting already
		done := make(chan struct{})
		go func() {
			defer close(done)
			stats, ok := (*read)()
			s.mu.Lock()
			s.last, s.known = stats, ok
			s.mu.Unlock()
			s.reading.Store(false)
		}()
		patience := time.NewTimer(statsPatience)
		defer patience.Stop()
		select {
		case <-done:
			return s.latest()
		case <-patience.C:
		}
	}
	return sql.DBStats{}, false
}
