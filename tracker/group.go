package tracker

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/sqltext"
)

// group is the root causes that make up one finding: the same line, kind and
// pool name.
type group struct {
	key    record.Key
	kind   Kind
	views  []*record.View
	lost   int
	fresh  int       // of the views, those that were not of this finding before
	since  time.Time // when it was first reported
	change int       // in the last minute
	// stacks are those of the views, each once.
	stacks []*callstack.Stack
	// series is set for a finding that is reported for its growth.
	series []int
}

// keyOf identifies a finding by what every build of the same code shares.
func keyOf(pool string, k Kind, site callstack.Frame) record.Key {
	return record.Key(pool + "\x00" + k.String() + "\x00" + site.Function + "\x00" + strconv.Itoa(site.Offset))
}

// firstLost is the first of the views that is proven, or nil.
func (g *group) firstLost() *record.View {
	for _, v := range g.views {
		if v.Lost {
			return v
		}
	}
	return nil
}

// proofOf says how a lost handle was proven.
func proofOf(v *record.View) Proof {
	if v.Stuck != nil {
		return ProofGoroutineLeak
	}
	return ProofUnreachable
}

func idOf(k record.Key) string {
	h := fnv.New64a()
	h.Write([]byte(k))
	return fmt.Sprintf("%016x", h.Sum64())
}

func kindOf(k record.Kind, s *callstack.Stack) Kind {
	if k == record.KindRows && s.Origin.Method == callstack.MethodQueryRow {
		return KindRow
	}
	return kinds[k]
}

var kinds = [...]Kind{
	record.KindDB:   KindDB,
	record.KindConn: KindConn,
	record.KindTx:   KindTx,
	record.KindRows: KindRows,
	record.KindStmt: KindStmt,

	record.KindSession: KindSession,
}

func (c *config) keyOf(v *record.View) record.Key {
	return keyOf(v.Pool.Name, kindOf(v.Kind, v.Stack), v.Stack.Locate(c.libraries).Site)
}

// groupViews groups root causes into findings, in no order.
func (c *config) groupViews(views []record.View) map[record.Key]*group {
	groups := make(map[record.Key]*group)
	known := make(map[likeness]*group)
	for i := range views {
		v := &views[i]
		like := likenessOf(v)
		g := known[like]
		if g == nil {
			key := c.keyOf(v)
			if g = groups[key]; g == nil {
				g = &group{key: key, kind: kindOf(v.Kind, v.Stack)}
				groups[key] = g
			}
			known[like] = g
			if !slices.Contains(g.stacks, v.Stack) {
				g.stacks = append(g.stacks, v.Stack)
			}
		}
		g.add(v)
	}
	return groups
}

// likeness is what handles of one finding have in common before anybody looks
// up lines.
type likeness struct {
	stack *callstack.Stack
	kind  record.Kind
	pool  *record.Pool
}

func likenessOf(v *record.View) likeness { return likeness{v.Stack, v.Kind, v.Pool} }

func (g *group) add(v *record.View) {
	g.views = append(g.views, v)
	if v.Lost {
		g.lost++
	}
}

// finding makes the value that is reported. It sorts the views, the oldest
// first.
func (c *config) finding(g *group) Finding {
	slices.SortFunc(g.views, func(a, b *record.View) int {
		return cmp.Or(cmp.Compare(b.Age, a.Age), a.ID.Compare(b.ID))
	})
	v := g.views[0]
	at := v.Stack.Locate(c.libraries)
	f := Finding{
		ID:        idOf(g.key),
		Kind:      g.kind,
		Pool:      v.Pool.Name,
		Site:      frame(at.Site),
		Stack:     frames(at.Frames()),
		Query:     queryText(v.Pool, v.Query),
		OpenedAt:  v.WallClock(),
		Age:       v.Age,
		Count:     len(g.views),
		Leaked:    g.lost,
		Busy:      v.Busy.String(),
		LongLived: v.LongLived,
		Scope:     v.Scope,
		Labels:    labels(v.Labels),
		Goroutine: v.Goroutine,
		Children:  c.children(g.views),
	}
	f.Median = g.views[len(g.views)/2].Age
	f.LatestAt = g.views[len(g.views)-1].WallClock()
	f.FirstSeen, f.Change = g.since, g.change
	f.Threshold = v.Limit.Threshold
	switch {
	case g.lost > 0:
		f.State, f.Proof = StateLeaked, proofOf(g.firstLost())
	case v.Overdue || g.series != nil:
		f.State = StateOverdue
	}
	f.Reason = reason(g, f.State)
	f.Held = heldTimes(g.stacks)
	f.Usual = usual(g.kind, f.Held, v.Limit)
	f.Advice = advice(g.kind, f.Site, cmp.Or(g.firstLost(), v))
	return f
}

func (c *config) children(views []*record.View) []Child {
	type childKey struct {
		kind Kind
		site Frame
	}
	var order []childKey
	byKey := make(map[childKey]*Child)
	for _, v := range views {
		for _, ch := range v.Children {
			k := childKey{kindOf(ch.Kind, ch.Stack), frame(ch.Stack.Locate(c.libraries).Site)}
			if byKey[k] == nil {
				byKey[k] = &Child{Kind: k.kind, Site: k.site, Query: queryText(v.Pool, ch.Query)}
				order = append(order, k)
			}
			byKey[k].Count++
		}
	}
	out := make([]Child, 0, len(order))
	for _, k := range order {
		out = append(out, *byKey[k])
	}
	slices.SortStableFunc(out, func(a, b Child) int { return cmp.Compare(b.Count, a.Count) })
	return out
}

// maxQuery is the length, in bytes, to which SQL text is cut.
const maxQuery = 300

func queryText(p *record.Pool, query string) string {
	return sqltext.Strip(query, sqltext.QuotesNames(p.Driver), maxQuery)
}

func frame(f callstack.Frame) Frame {
	return Frame{Function: f.Function, File: f.File, Line: f.Line}
}

func frames(in []callstack.Frame) []Frame {
	out := make([]Frame, len(in))
	for i, f := range in {
		out[i] = frame(f)
	}
	return out
}

// sortFindings puts the surest first: leaked before overdue, and among them
// what is proven in itself, then the most, then the oldest.
func sortFindings(fs []Finding) {
	slices.SortFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(b.State, a.State),
			cmp.Compare(surety(b.Proof), surety(a.Proof)),
			cmp.Compare(b.Count, a.Count),
			cmp.Compare(b.Age, a.Age),
			cmp.Compare(a.ID, b.ID),
		)
	})
}

func surety(p Proof) int {
	if p == ProofUnreachable || p == ProofGoroutineLeak {
		return 1
	}
	return 0
}
