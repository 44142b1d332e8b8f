package httpdebug

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
)

func held(threshold, age time.Duration, buckets ...report.HeldBucket) report.Finding {
	f := report.Finding{State: "overdue", ThresholdSeconds: threshold.Seconds(), AgeSeconds: age.Seconds()}
	for _, b := range buckets {
		f.Held.Count += b.Count
	}
	f.Held.Buckets = buckets
	return f
}

// bars reads a histogram's path: left edge, width and height of each bar.
func bars(t *testing.T, path string) (out [][3]int) {
	t.Helper()
	form := regexp.MustCompile(`M(\d+) (\d+)v-(\d+)h(\d+)v(\d+)z`)
	for _, m := range form.FindAllStringSubmatch(path, -1) {
		n := make([]int, len(m))
		for i := range m[1:] {
			n[i+1], _ = strconv.Atoi(m[i+1])
		}
		if n[2] != chartGround || n[3] != n[5] {
			t.Errorf("bar %s doesn't stand on the ground", m[0])
		}
		out = append(out, [3]int{n[1], n[4], n[3]})
	}
	if rest := form.ReplaceAllString(path, ""); rest != "" {
		t.Errorf("what is %q?", rest)
	}
	return out
}

func TestHistogram(t *testing.T) {
	f := held(30*time.Second, 2*time.Minute,
		report.HeldBucket{UpToSeconds: 0.001024, Count: 100}, report.HeldBucket{UpToSeconds: 0.001536, Count: 50},
		report.HeldBucket{UpToSeconds: 0.002048, Count: 1}, report.HeldBucket{Count: 1})
	h := newHistogram(f)
	got := bars(t, h.Bars)
	if len(got) != 4 {
		t.Fatalf("%d bars, want 4: %v", len(got), got)
	}
	for i, want := range []int{48, 24, 2, 2} { // by count, but none is invisible
		if got[i][2] != want {
			t.Errorf("bar %d is %d high, want %d", i, got[i][2], want)
		}
	}
	for i := 1; i < len(got); i++ {
		if end := got[i-1][0] + got[i-1][1]; end > got[i][0] {
			t.Errorf("bar %d ends at %d, the next begins at %d", i-1, end, got[i][0])
		}
	}
	if got[0][0] != 0 || got[3][0]+got[3][1] >= chartWidth {
		t.Errorf("the bars are beyond the ends: %v", got)
	}
	x := map[string]int{}
	for _, m := range h.Marks {
		x[m.Class] = m.X
	}
	// Between the last short time and that beyond five hours, in the right order.
	if !(got[2][0]+got[2][1] < x["threshold"] && x["threshold"] < x["overdue"] && x["overdue"] < got[3][0]) {
		t.Errorf("the marks are at %v among bars %v", x, got)
	}
	for i := 1; i < len(h.Ticks); i++ {
		if h.Ticks[i].X-h.Ticks[i-1].X < 15 {
			t.Errorf("ticks too close: %v", h.Ticks)
		}
	}
}

func TestNoHistogram(t *testing.T) {
	if h := newHistogram(report.Finding{}); h != nil {
		t.Errorf("of nothing: %+v", h)
	}
}

// Wherever the marks are, all of the drawing stays within it, and names don't
// cross lines of other marks.
func TestHistogramKeepsWithin(t *testing.T) {
	times := []time.Duration{0, time.Microsecond, 30 * time.Millisecond, time.Second, 30 * time.Second, time.Hour, 1000 * time.Hour, math.MaxInt64}
	for _, threshold := range times {
		for _, age := range times {
			for _, upTo := range []float64{0, 16e-6, 1.5, 16384} {
				h := newHistogram(held(threshold, age, report.HeldBucket{UpToSeconds: upTo, Count: 1}))
				for _, b := range bars(t, h.Bars) {
					if b[0] < 0 || b[0]+b[1] > chartWidth {
						t.Errorf("threshold %v, age %v, %v s: bar %v", threshold, age, upTo, b)
					}
				}
				checkMarks(t, h.Marks)
			}
		}
	}
}

func checkMarks(t *testing.T, marks []mark) {
	t.Helper()
	const name = 130 // more than any takes
	for i, m := range marks {
		from, to := m.X, m.X+name
		if m.Anchor == "end" {
			from, to = m.X-name, m.X
		}
		if from < 0 || to > chartWidth {
			t.Errorf("the name of %+v is cut off", m)
		}
		for j, other := range marks {
			if i != j && from < other.X && other.X < to && other.Y <= m.Y {
				t.Errorf("the line of %+v crosses the name of %+v", other, m)
			}
		}
	}
}

func TestSparkline(t *testing.T) {
	now := reporttest.Now
	ago := func(d time.Duration, inUse, alarms int) report.PoolSample {
		return report.PoolSample{At: now.Add(-d), InUse: inUse, Alarms: alarms}
	}
	tests := []struct {
		name          string
		max           int
		samples       []report.PoolSample
		used, overdue string
		limit         int
	}{
		{name: "nothing yet"},
		{name: "idle all the time", samples: []report.PoolSample{ago(time.Minute, 0, 0)}},
		{
			name: "until now", samples: []report.PoolSample{ago(20*time.Second, 1, 0), ago(10*time.Second, 2, 0)},
			used: "M0 24H116V12H118V1H120V24Z",
		},
		{
			name: "over, with a pause", max: 4,
			samples: []report.PoolSample{ago(5*time.Minute, 2, 0), ago(4*time.Minute, 4, 9), ago(230*time.Second, 4, 4)},
			used:    "M0 24H60V12H62V24H72V1H76V24H120V24Z", overdue: "M0 24H72V1H76V24H120V24Z", limit: 1,
		},
		{
			name: "limit far away", max: 100, samples: []report.PoolSample{ago(10*time.Second, 1, 0)},
			used: "M0 24H118V1H120V24Z",
		},
		{
			name: "older than the drawing", samples: []report.PoolSample{ago(10*time.Hour, 1, 0), ago(10*time.Second, 1, 0)},
			used: "M0 24V1V24H118V1H120V24Z",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := report.PoolGroup{Pool: report.Pool{Stats: &report.Stats{MaxOpen: tt.max}, Recent: tt.samples}, Count: 1}
			s := newSparkline(p, now)
			if s == nil {
				if tt.used != "" {
					t.Fatal("nothing is drawn")
				}
				return
			}
			if s.Used != tt.used || s.Alarms != tt.overdue || s.Limit != tt.limit {
				t.Errorf("got %q, %q, limit %d; want %q, %q, limit %d", s.Used, s.Alarms, s.Limit, tt.used, tt.overdue, tt.limit)
			}
			if !strings.Contains(s.Words, "at most") {
				t.Errorf("it says %q", s.Words)
			}
			if p.Count = 2; newSparkline(p, now) != nil {
				t.Error("one of several pools is drawn for all")
			}
		})
	}
}
