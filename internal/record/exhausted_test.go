package record

import (
	"database/sql"
	"testing"
	"testing/synctest"
	"time"
)

// TestLooks follows a pool of two from look to look, a second apart. Each gives
// what database/sql and the connections have counted since the pool was opened.
func TestLooks(t *testing.T) {
	type seen struct {
		waits    int64         // begun
		waited   time.Duration // of those that have ended
		acquires uint64
		opened   uint64
		free     bool
		waiting  int64 // to be known
		gaveUp   bool
	}
	for _, tt := range []struct {
		name  string
		looks []seen
	}{
		{"nobody waits", []seen{{acquires: 2, opened: 2}, {acquires: 2, opened: 2}}},
		{"all of who ever waited", []seen{
			{acquires: 9, opened: 2, waits: 3, waiting: 3},
			{acquires: 9, opened: 2, waits: 4, waiting: 4},
		}},
		{"a new one, while others' waits have ended", []seen{
			{acquires: 9, waits: 5, waited: 7},
			{acquires: 9, waits: 6, waited: 7, waiting: 1},
		}},
		{"more than have got one", []seen{{acquires: 9, waits: 12, waited: 7, waiting: 3}}},
		{"who opened a connection didn't wait", []seen{{acquires: 9, opened: 2, waits: 8, waited: 7, waiting: 1}}},
		{"one of three gets a connection", []seen{
			{acquires: 1, opened: 1, waits: 3, waiting: 3},
			{acquires: 2, opened: 1, waits: 3, waited: 7, waiting: 2},
			{acquires: 2, opened: 1, waits: 3, waited: 7, waiting: 2},
			{acquires: 3, opened: 1, waits: 3, waited: 9, waiting: 1},
		}},
		{"two give up", []seen{
			{acquires: 1, opened: 1, waits: 2, waiting: 2},
			{acquires: 1, opened: 1, waits: 2, waited: 7, waiting: 2, gaveUp: true},
			{acquires: 2, opened: 1, waits: 2, waited: 7}, // nobody knows
		}},
		{"a free connection", []seen{
			{acquires: 1, opened: 1, waits: 2, waiting: 2},
			{acquires: 3, opened: 1, waits: 2, waited: 7, free: true},
			{acquires: 4, opened: 1, waits: 2, waited: 7},
		}},
		{"a wait that has ended, but its acquire is to come", []seen{
			{acquires: 5, opened: 5, waits: 1, waited: 7, waiting: 1},
			{acquires: 6, opened: 5, waits: 1, waited: 7},
		}},
		{"busy", []seen{
			{acquires: 100, waits: 90, waited: 70},
			{acquires: 200, waits: 180, waited: 170},
			{acquires: 300, waits: 280, waited: 270},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var l look
			for i, s := range tt.looks {
				inUse := 2
				if s.free {
					inUse--
				}
				l = l.next(Moves{acquires: s.acquires, opened: s.opened}, sql.DBStats{
					MaxOpenConnections: 2, InUse: inUse, WaitCount: s.waits, WaitDuration: s.waited,
				}, time.Duration(i)*time.Second, false)
				if l.waiting != s.waiting || l.gaveUp != s.gaveUp || l.full == s.free {
					t.Errorf("look %d: %+v, want %d waiting, gave up: %v", i, l, s.waiting, s.gaveUp)
				}
			}
		})
	}
}

// TestExhaustedUnanswered: behind a *sql.DB that doesn't answer, as it waits for
// its driver, a pool stays what it was; not so once the *sql.DB is gone.
func TestExhaustedUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewRegistry(func(*Pool) bool { return false }, func() time.Duration { return time.Hour }, nil).OpenPool("", "", "", 0)
		hang, gone := make(chan struct{}), false
		close(hang)
		p.SetStats(func() (sql.DBStats, bool) {
			<-hang
			return sql.DBStats{MaxOpenConnections: 1, InUse: 1, WaitCount: 1}, !gone
		})
		c := p.Connected(ctx)
		expect := func(want bool) {
			t.Helper()
			_, n := p.Look(Policy{}, true)
			if x, exhausted := p.Crowded(n); exhausted != want {
				t.Errorf("exhausted: %v, %+v, want %v", exhausted, x, want)
			}
			time.Sleep(time.Second) // of the bubble
		}
		for _, want := range []bool{false, false, true} {
			expect(want)
		}
		hang = make(chan struct{})
		expect(true)
		close(hang)
		synctest.Wait()
		gone = true
		expect(false)
		c.Closed()
		p.Close()
	})
}
