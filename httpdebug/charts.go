package httpdebug

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/words"
)

// histogram is a drawing of for how long handles like those of a finding were
// held, from the shortest to the longest, each column half a power of two wide.
type histogram struct {
	Bars   string // a path
	Marks  []mark // from the top to the ground
	Ticks  []mark // below the ground
	Ground int
	Words  string
	Width  int
	Height int
}

// mark is a time with its name; Anchor is where in the name it stands.
type mark struct {
	X, Y   int
	Anchor string
	Class  string
	Text   string
}

// The drawing's measures. On top there is a line for the name of each mark,
// at the bottom one for the axis.
const (
	chartWidth  = 480
	chartTop    = 30
	chartGround = chartTop + 48
	chartHeight = chartGround + 16
)

// newHistogram is nil if there is nothing to draw.
func newHistogram(f report.Finding) *histogram {
	if f.Held.Count == 0 {
		return nil
	}
	threshold, age := report.Seconds(f.ThresholdSeconds), f.Age()
	low, high := math.Inf(1), math.Inf(-1)
	var most uint64
	for _, b := range f.Held.Buckets {
		low, high = min(low, column(b)-1), max(high, column(b))
		most = max(most, b.Count)
	}
	for _, d := range []time.Duration{threshold, age} {
		if d > 0 {
			low, high = min(low, math.Floor(scale(d))), max(high, math.Ceil(scale(d))+1)
		}
	}
	x := func(at float64) int { return int(math.Round((at - low) / (high - low) * chartWidth)) }
	h := &histogram{
		Ground: chartGround, Width: chartWidth, Height: chartHeight,
		Words: fmt.Sprintf("How often handles like these were held for how long, of %s that they were given back", words.Plural(int(f.Held.Count), "time")),
	}
	var bars strings.Builder
	for _, b := range f.Held.Buckets {
		left := x(column(b) - 1)
		width := max(1, x(column(b))-left-1)
		height := max(2, int(math.Round(float64(b.Count)/float64(most)*(chartGround-chartTop))))
		fmt.Fprintf(&bars, "M%d %dv%dh%dv%dz", left, chartGround, -height, width, height)
	}
	h.Bars = bars.String()
	if age > 0 {
		h.Marks = append(h.Marks, mark{X: x(scale(age)), Class: f.State, Text: "the oldest now " + words.Duration(age)})
	}
	if threshold > 0 {
		h.Marks = append(h.Marks, mark{X: x(scale(threshold)), Class: "threshold", Text: "threshold " + words.Duration(threshold)})
	}
	placeNames(h.Marks)
	for _, d := range ticks {
		if at := scale(d); at > low+1 && at < high-1 {
			h.Ticks = append(h.Ticks, mark{X: x(at), Y: chartHeight - 3, Text: words.Duration(d)})
		}
	}
	return h
}

// ticks are times on the axis that are worth a name.
var ticks = []time.Duration{
	time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second,
	time.Minute, 10 * time.Minute, time.Hour,
}

// placeNames places the names of up to two marks, each on a line of its own,
// so that none is cut off or crossed by the line of the other mark, which begins
// at its name.
func placeNames(marks []mark) {
	const (
		room       = 140 // for a name
		upper, low = 11, 24
	)
	slices.SortFunc(marks, func(a, b mark) int { return cmp.Compare(a.X, b.X) })
	if len(marks) == 0 {
		return
	}
	left, right := &marks[0], &marks[len(marks)-1]
	right.Anchor, right.Y = "start", low
	if right.X > chartWidth-room {
		right.Anchor = "end"
	}
	if left == right {
		return
	}
	if left.Anchor, left.Y = "start", upper; left.X >= room {
		left.Anchor, left.Y, right.Y = "end", low, upper
	}
}

// scale is the place of a time on the axis, in columns.
func scale(d time.Duration) float64 {
	const first = float64(16 * time.Microsecond)
	return 2 * math.Log2(max(float64(d), first)/first)
}

// column is the right end of a bucket's column.
func column(b report.HeldBucket) float64 {
	if b.UpToSeconds == 0 { // beyond five hours
		return math.Ceil(scale(6 * time.Hour))
	}
	return math.Round(scale(time.Duration(b.UpToSeconds * float64(time.Second))))
}

// sparkline is a drawing of how many connections of a pool were in use in the
// last ten minutes.
type sparkline struct {
	Used   string // a path: the area below what was in use
	Alarms string // below what of it was overdue or leaked; empty if nothing was
	Limit  int    // its height; 0 is not drawn, as there is none, or it is far away
	Words  string
	Width  int
	Height int
}

const (
	sparkWidth  = 120
	sparkHeight = 24
	sparkTime   = 10 * time.Minute
	sparkSample = 10 * time.Second
)

// newSparkline is nil if nothing was in use.
func newSparkline(p report.PoolGroup, now time.Time) *sparkline {
	if len(p.Recent) == 0 || p.Count > 1 {
		return nil
	}
	most, alarms := 0, 0
	for _, s := range p.Recent {
		most, alarms = max(most, s.InUse), max(alarms, s.Alarms)
	}
	if most == 0 {
		return nil
	}
	top := most
	out := &sparkline{Width: sparkWidth, Height: sparkHeight}
	if p.Stats != nil && 0 < p.Stats.MaxOpen && p.Stats.MaxOpen <= 2*most {
		top = max(top, p.Stats.MaxOpen)
		out.Limit = y(p.Stats.MaxOpen, top)
	}
	out.Used = area(p.Recent, now, top, func(s report.PoolSample) int { return s.InUse })
	if alarms > 0 {
		out.Alarms = area(p.Recent, now, top, func(s report.PoolSample) int { return s.Alarms })
	}
	out.Words = fmt.Sprintf("In use in the last 10 minutes: at most %d, now %d", most, p.InUse)
	return out
}

// y is where a number is, from the top. There may be more handles in trouble
// than connections in use; no more is drawn.
func y(n, top int) int {
	return sparkHeight - int(math.Round(float64(min(n, top))/float64(top)*(sparkHeight-1)))
}

// area draws steps, down to the ground where there are no samples.
func area(samples []report.PoolSample, now time.Time, top int, of func(report.PoolSample) int) string {
	x := func(t time.Time) int {
		left := sparkTime - now.Sub(t)
		return max(0, min(sparkWidth, int(math.Round(float64(left)/float64(sparkTime)*sparkWidth))))
	}
	var b strings.Builder
	at, height := 0, sparkHeight
	b.WriteString("M0 " + strconv.Itoa(sparkHeight))
	step := func(to, next int) {
		if next == height {
			return
		}
		if to != at {
			b.WriteString("H" + strconv.Itoa(to))
		}
		b.WriteString("V" + strconv.Itoa(next))
		at, height = to, next
	}
	for i, s := range samples {
		step(x(s.At), y(of(s), top))
		end := s.At.Add(sparkSample)
		if i+1 < len(samples) && samples[i+1].At.Sub(end) > sparkSample/2 {
			step(x(end), sparkHeight)
		}
	}
	if last := samples[len(samples)-1]; now.Sub(last.At) > 2*sparkSample {
		step(x(last.At.Add(sparkSample)), sparkHeight)
	}
	b.WriteString("H" + strconv.Itoa(sparkWidth) + "V" + strconv.Itoa(sparkHeight) + "Z")
	return b.String()
}
