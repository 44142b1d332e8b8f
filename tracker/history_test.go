package tracker_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

func TestChangeInTheLastMinute(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		open := func(n int) (all []*sql.Rows) {
			for range n {
				all = append(all, must[*sql.Rows](t)(w.Query("rows 9")))
			}
			return all
		}
		rows := open(2)
		first := time.Now()
		pass(20 * time.Second)
		rows = append(rows, open(1)...)
		keep(t, rows)
		for _, tt := range []struct {
			wait, median time.Duration
			change       int
			ended        int
		}{
			{20 * time.Second, 40 * time.Second, 2, 0},   // two became overdue
			{20 * time.Second, 60 * time.Second, 3, 0},   // then the third
			{80 * time.Second, 140 * time.Second, 0, 0},  // long ago by now
			{10 * time.Second, 130 * time.Second, -1, 1}, // the oldest is given back
			{2 * time.Minute, 250 * time.Second, 0, 0},
		} {
			for range tt.ended {
				rows[0].Close()
				rows = rows[1:]
			}
			pass(tt.wait)
			f := w.tracker.Snapshot().Findings
			if len(f) != 1 {
				t.Fatalf("findings %+v", f)
			}
			if f[0].Change != tt.change || f[0].Median.Round(time.Second) != tt.median {
				t.Errorf("%v later: change %d, median %v, want %d, %v", tt.wait, f[0].Change, f[0].Median, tt.change, tt.median)
			}
			if seen := f[0].FirstSeen.Sub(first); seen < 30*time.Second || seen > 41*time.Second {
				t.Errorf("first seen %v after it was opened", seen)
			}
		}
		if f := w.tracker.Snapshot().Findings[0]; f.LatestAt.Sub(first).Round(time.Second) != 20*time.Second {
			t.Errorf("the latest was opened %v after the first", f.LatestAt.Sub(first))
		}
		for _, r := range rows {
			r.Close()
		}
		w.done(t)
	})
}

func TestRecentSamplesOfAPool(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		use := func(n int, d time.Duration) {
			var conns []*sql.Conn
			for range n {
				conns = append(conns, must[*sql.Conn](t)(w.Conn(ctx)))
			}
			pass(d)
			for _, c := range conns {
				c.Close()
			}
			pass(time.Second)
		}
		use(3, 45*time.Second)
		var inUse, alarms []int
		for _, s := range w.tracker.Snapshot().Pools[0].Recent {
			inUse, alarms = append(inUse, s.InUse), append(alarms, s.Alarms)
		}
		if want := []int{3, 3, 3, 3}; !slices.Equal(inUse[:4], want) {
			t.Errorf("in use %d, want %d", inUse, want)
		}
		if want := []int{0, 0, 0, 3}; !slices.Equal(alarms[:4], want) {
			t.Errorf("alarms %d, want %d", alarms, want)
		}
		pass(9 * time.Minute) // nothing is in use: no samples
		use(1, 20*time.Second)
		now := time.Now()
		recent := w.tracker.Snapshot().Pools[0].Recent
		for i, s := range recent {
			if age := now.Sub(s.At); age > 10*time.Minute || i > 0 && s.At.Sub(recent[i-1].At) < 10*time.Second {
				t.Errorf("sample %d is %v old, after %v", i, age, recent[max(0, i-1)].At)
			}
		}
		if last := recent[len(recent)-1]; len(recent) > 12 || last.InUse > 1 {
			t.Errorf("samples %+v", recent)
		}
		use(1, time.Hour)
		if n := len(w.tracker.Snapshot().Pools[0].Recent); n == 0 || n > 60 {
			t.Errorf("%d samples of an hour in use", n)
		}
		w.done(t)
	})
}

// TestGone: what was reported and went with its connection is not forgotten, and
// is not called given back.
func TestGone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		for range 8 {
			stmt := must[*sql.Stmt](t)(w.Prepare("update"))
			keep(t, stmt)
			pass(10 * time.Second)
		}
		f := w.tracker.Snapshot().Findings
		if len(f) != 1 || f[0].Kind != tracker.KindStmt {
			t.Fatalf("findings %+v", f)
		}
		w.SetMaxIdleConns(-1) // closes the connection
		pass(10 * time.Second)
		e := w.tracker.Snapshot().Ended
		if len(e) != 1 || e[0].Count != 0 || e[0].Gone != 8 || e[0].Finding.State != tracker.StateOverdue {
			t.Errorf("ended %+v", e)
		}
		w.Close()
	})
}

// TestGoneOfAScope: what a scope left open counts like what a sweep reported.
func TestGoneOfAScope(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		w.Ping()
		ctx, end := w.tracker.Scope(ctx, "job")
		var open []*sql.Stmt
		for range 3 {
			open = append(open, must[*sql.Stmt](t)(w.PrepareContext(ctx, "update")))
		}
		end()
		pass(10 * time.Second)
		w.events.expect(t, "scope_end stmt×3")
		open[0].Close()
		pass(10 * time.Second)
		w.SetMaxIdleConns(-1) // closes the connection
		pass(2 * time.Minute)
		e := w.tracker.Snapshot().Ended
		if len(e) != 1 || e[0].Count != 1 || e[0].Gone != 2 {
			t.Errorf("ended %+v", e)
		}
		keep(t, open)
		w.Close()
	})
}

// TestManyGivenBackAtOnce: more than are told one by one are not gone.
func TestManyGivenBackAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const n = 1500
		w := watch(t)
		var open []*sql.Rows
		for range n {
			open = append(open, must[*sql.Rows](t)(w.Query("rows 9")))
		}
		pass(time.Minute)
		for _, rows := range open {
			rows.Close()
		}
		pass(10 * time.Second)
		s := w.tracker.Snapshot()
		if e := s.Ended; len(e) != 1 || e[0].Count != n || e[0].Gone != 0 || e[0].Held < time.Minute {
			t.Errorf("ended %+v", e)
		}
		if s.Totals.Recovered != n {
			t.Errorf("%d recovered, want %d", s.Totals.Recovered, n)
		}
		w.done(t)
	})
}

func TestOverheadIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		if o := w.tracker.Snapshot().Overhead; o.Sweeps > 1 || o.Handles > 0 {
			t.Errorf("at the start: %+v", o)
		}
		rows := must[*sql.Rows](t)(w.Query("rows 9"))
		stmt := must[*sql.Stmt](t)(w.Prepare("update"))
		pass(time.Minute)
		o := w.tracker.Snapshot().Overhead
		if o.Connections != 2 || o.Handles != 2 || o.Stacks < 2 || o.Bytes < 1000 || o.Sweeps < 5 || o.LastSweep.IsZero() {
			t.Errorf("%+v", o)
		}
		stmt.Close()
		rows.Close()
		w.done(t)
	})
}

func TestSelfTestIsRemembered(t *testing.T) {
	w := watch(t)
	if s := w.tracker.Snapshot().SelfTest; s != nil {
		t.Errorf("before one was made: %+v", s)
	}
	if _, err := w.tracker.SelfTest(ctx, nil); err == nil {
		t.Error("a self-test of no DB passes")
	}
	if s := w.tracker.Snapshot().SelfTest; s == nil || !strings.Contains(s.Error, "no DB") || s.At.IsZero() {
		t.Errorf("after one that failed: %+v", s)
	}
	r := must[tracker.SelfTestResult](t)(w.tracker.SelfTest(ctx, w.DB))
	if s := w.tracker.Snapshot().SelfTest; s == nil || s.Error != "" || s.SelfTestResult != r {
		t.Errorf("after one that passed: %+v", s)
	}
	w.done(t)
}
