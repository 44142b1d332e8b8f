package tracker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/words"
)

// rise is from when, on the pool's clock, and from how many the connections in
// use became more.
type rise struct {
	at   time.Duration
	from int
}

// sampleGap without a sample is not only due to when sweeps happen to be.
const sampleGap = 2 * record.SampleStep

// riseTo finds when fewer than n connections were last in use, and then as few
// as ever in the last minutes; false if there were never fewer. Where there are
// no samples, nothing was in use.
func riseTo(n int, samples []record.Sample, now time.Duration) (rise, bool) {
	least := rise{from: n}
	before := now - record.SampleSpan
	for _, s := range samples {
		if s.At-before > sampleGap {
			least = rise{at: s.At}
		}
		if s.InUse < n && s.InUse <= least.from {
			least = rise{at: s.At, from: s.InUse}
		}
		before = s.At
	}
	return least, least.from < n
}

// maxRising bounds the lines that are named for a rise.
const maxRising = 3

// growth says how the pool came to be exhausted, as far as the last minutes
// tell; else it is empty.
func (c *config) growth(p *record.Pool, x record.Exhaustion, held []*group) string {
	now := p.Age()
	r, rose := riseTo(x.InUse, p.Recent(), now)
	if !rose {
		return ""
	}
	said := fmt.Sprintf("in use rose from %d to %d within %s", r.from, x.InUse, words.Duration(max(x.Since-r.at, record.SampleStep)))
	if r.from == 0 {
		return said // all that is held was opened since
	}
	type line struct {
		what string
		n    int
	}
	var lines []line
	for _, g := range held {
		n := 0
		for _, v := range g.views {
			if v.Age <= now-r.at {
				n++
			}
		}
		if n > 0 {
			site := g.views[0].Stack.Locate(c.libraries).Site
			lines = append(lines, line{fmt.Sprintf("%d × %v of %s", n, g.kind, short(frame(site))), n})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(b.n, a.n) })
	var list []string
	for _, l := range lines[:min(len(lines), maxRising)] {
		list = append(list, l.what)
	}
	return said + "; of what is held, opened since then: " + strings.Join(list, ", ")
}
