package httpdebug

import (
	"cmp"
	"html/template"
	"math"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/source"
)

// The page has a row for each finding. The first ones open to all there is; the
// others are links to a page of their own. So it stays small however much is
// open.
const (
	maxRows   = 500 // findings and groups of open handles together
	maxFull   = 100 // of them; the others lack what is in small print
	maxBodies = 10  // of them
	maxFrames = 12  // of a stack, unless the page is about one finding
	maxPools  = 30
	maxAlarms = 10  // pools that are exhausted
	maxNames  = 200 // of pools to choose from
	maxEnded  = 25
)

// rows is a list on the page. More counts what isn't listed.
type rows struct {
	List []row
	More int
}

const anchorFinding, anchorOpen = "f-", "o-"

// row is a finding, or a group of open handles.
type row struct {
	report.Finding
	// Anchor is the id of the element, one of these in front. The same line may have handles in
	// trouble and others that aren't, with one ID.
	Anchor string
	Wide   bool // it has a cell for the opener
	Full   bool
	Body   *body // nil if the row is a link
}

// body is what a row opens to, besides what the finding says itself.
type body struct {
	Open       bool          // at first
	Source     []source.Line // around the site, where the file is there
	Changed    bool          // the file was, since the program was started
	Stack      []frame
	MoreFrames int
	Now        []frame // where the opener of the oldest handle is, unless it has returned
	Held       *histogram
}

// frame is a line of a stack.
type frame struct {
	report.StackFrame
	URL template.URL // of the source; empty if there is none
}

type rowBuilder struct {
	handler       *handler
	single        bool // the page is about one finding
	sensitive     bool
	rowed, bodies int
}

// lists makes the rows of the document.
func (b *rowBuilder) lists(d report.Document, looked bool) (findings, open rows) {
	return b.rows(anchorFinding, d.Findings, looked), b.rows(anchorOpen, d.InUse(), false)
}

func (b *rowBuilder) rows(anchor string, findings []report.Finding, wide bool) rows {
	n := min(len(findings), maxRows-b.rowed)
	out := rows{More: len(findings) - n}
	for _, f := range findings[:n] {
		r := row{Finding: f, Anchor: anchor + f.ID, Wide: wide, Full: b.rowed < maxFull}
		b.rowed++
		if b.bodies < maxBodies {
			b.bodies++
			r.Body = b.body(f)
		}
		out.List = append(out.List, r)
	}
	return out
}

func (b *rowBuilder) body(f report.Finding) *body {
	out := &body{Open: b.single, Held: newHistogram(f)}
	shown := f.Stack
	if !b.single && len(shown) > maxFrames+3 { // a few more take no more room than to say so
		shown = shown[:maxFrames]
		out.MoreFrames = len(f.Stack) - len(shown)
	}
	for _, fr := range shown {
		out.Stack = append(out.Stack, b.frame(fr))
	}
	if b.sensitive { // a source line often has SQL in it, with literals
		var changed time.Time
		out.Source, changed = source.Read(f.Site.File, f.Site.Line, 2)
		out.Changed = changed.After(b.handler.process.StartedAt)
	}
	if b.single && f.Opener != nil && !f.Opener.Returned {
		for _, fr := range f.Opener.Frames() {
			out.Now = append(out.Now, b.frame(fr))
		}
	}
	return out
}

func (b *rowBuilder) frame(f report.StackFrame) frame {
	return frame{f, b.handler.sourceLink(f.Frame)}
}

// exhausted are the pools that are, of which the page has room for. More counts
// the others.
type exhausted struct {
	List []report.Pool
	More int
}

func newExhausted(d report.Document) exhausted {
	all := d.Exhausted()
	n := min(len(all), maxAlarms)
	return exhausted{all[:n], len(all) - n}
}

// groups are the pools that the page has room for. More counts the others.
type groups struct {
	List []group
	More int
}

type group struct {
	report.PoolGroup
	Sparkline *sparkline
}

// newGroups takes, if it must choose, pools in trouble, then those in use. They
// stay in their order.
func newGroups(d report.Document) groups {
	all := d.PoolGroups()
	chosen := make([]int, len(all))
	for i := range chosen {
		chosen[i] = i
	}
	slices.SortStableFunc(chosen, func(a, b int) int {
		x, y := all[a], all[b]
		return cmp.Or(
			cmp.Compare(trouble(y), trouble(x)),
			cmp.Compare(y.InUse, x.InUse),
		)
	})
	chosen = chosen[:min(len(chosen), maxPools)]
	slices.Sort(chosen)
	out := groups{More: len(all) - len(chosen)}
	for _, i := range chosen {
		out.List = append(out.List, group{all[i], newSparkline(all[i], d.GeneratedAt)})
	}
	return out
}

func trouble(g report.PoolGroup) int {
	if g.Exhausted != nil {
		return math.MaxInt
	}
	return g.Leaked + g.Overdue
}

// ended are the latest findings that are over. More counts the others.
type ended struct {
	List []over
	More int
}

type over struct {
	report.Ended
	Ago time.Duration
}

func newEnded(d report.Document) (out ended) {
	n := min(len(d.Ended), maxEnded)
	out.More = len(d.Ended) - n
	for _, e := range d.Ended[:n] {
		out.List = append(out.List, over{e, d.GeneratedAt.Sub(e.EndedAt)})
	}
	return out
}
