// Package profile writes a snapshot of a tracker as a pprof profile, so that
// go tool pprof and continuous profilers show which lines hold handles.
package profile

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// New makes a profile of what the snapshot holds: its findings, and what is
// open within its thresholds. Handles inside others are part of those, and a
// DB is listed in a finding only, for every program has one open.
//
// There is a sample for each call stack that handles of a finding were opened
// with. Its values are the number of handles and the age of the oldest, in
// nanoseconds; its labels are kind, pool and state. Its stack begins at the
// application line that opened the handles, so that this line is what a tool
// lists first. The result depends on the snapshot only, is valid, and shares
// no memory with the snapshot.
func New(s tracker.Snapshot) *profile.Profile {
	b := newBuilder(s)
	for _, f := range s.Findings {
		b.finding(f, nil)
	}
	for _, f := range s.Open {
		if f.Kind != tracker.KindDB {
			b.finding(f, nil)
		}
	}
	return b.p
}

// Since makes a profile of the findings of after, with only those handles that
// came since before: by how many there are more that were opened with one call
// stack.
func Since(before, after tracker.Snapshot) *profile.Profile {
	had := make(map[string]int)
	for _, f := range before.Findings {
		for c := range f.Callers() {
			had[wayTo(f, c)] += c.Count
		}
	}
	b := newBuilder(after)
	for _, f := range after.Findings {
		b.finding(f, had)
	}
	return b.p
}

// wayTo tells the handles of a finding apart by who had called.
func wayTo(f tracker.Finding, c tracker.Callers) string {
	var b strings.Builder
	b.WriteString(f.ID)
	for _, fr := range c.Stack {
		fmt.Fprintf(&b, "\x00%s\x00%s:%d", fr.Function, fr.File, fr.Line)
	}
	return b.String()
}

type function struct{ name, file string }

type builder struct {
	p         *profile.Profile
	locations map[tracker.Frame]*profile.Location
	functions map[function]*profile.Function
}

func newBuilder(s tracker.Snapshot) *builder {
	b := &builder{
		locations: map[tracker.Frame]*profile.Location{},
		functions: map[function]*profile.Function{},
		p: &profile.Profile{
			SampleType: []*profile.ValueType{{Type: "open", Unit: "count"}, {Type: "age", Unit: "nanoseconds"}},
			// At least one collector doesn't take profiles without a period.
			PeriodType:        &profile.ValueType{Type: "open", Unit: "count"},
			Period:            1,
			DefaultSampleType: "open",
		},
	}
	if !s.TakenAt.IsZero() {
		b.p.TimeNanos = s.TakenAt.UnixNano()
	}
	return b
}

// finding adds what the finding has more than there was before.
func (b *builder) finding(f tracker.Finding, before map[string]int) {
	for c := range f.Callers() {
		if before != nil {
			c.Count -= before[wayTo(f, c)]
		}
		if c.Count > 0 {
			b.add(f, c)
		}
	}
}

func (b *builder) add(f tracker.Finding, c tracker.Callers) {
	s := &profile.Sample{
		Value: []int64{int64(c.Count), c.Oldest.Nanoseconds()},
		Label: map[string][]string{"kind": {f.Kind.String()}, "state": {f.State.String()}},
	}
	if f.Pool != "" { // the format has no empty labels
		s.Label["pool"] = []string{text(f.Pool)}
	}
	for _, fr := range fromSite(c.Stack, f.Site) {
		s.Location = append(s.Location, b.location(fr))
	}
	b.p.Sample = append(b.p.Sample, s)
}

// fromSite drops the library frames in front of the site.
func fromSite(stack []tracker.Frame, site tracker.Frame) []tracker.Frame {
	for i, f := range stack {
		if f == site {
			return stack[i:]
		}
	}
	if len(stack) > 0 {
		return stack
	}
	return []tracker.Frame{site}
}

// location has no address and no mapping: the frames are symbolised already,
// and addresses would differ from build to build.
func (b *builder) location(fr tracker.Frame) *profile.Location {
	if l, ok := b.locations[fr]; ok {
		return l
	}
	l := &profile.Location{
		ID:   uint64(len(b.p.Location) + 1),
		Line: []profile.Line{{Function: b.function(fr), Line: int64(fr.Line)}},
	}
	b.locations[fr] = l
	b.p.Location = append(b.p.Location, l)
	return l
}

func (b *builder) function(fr tracker.Frame) *profile.Function {
	key := function{cmp.Or(text(fr.Function), "unknown"), text(fr.File)}
	if f, ok := b.functions[key]; ok {
		return f
	}
	f := &profile.Function{
		ID:         uint64(len(b.p.Function) + 1),
		Name:       key.name,
		SystemName: key.name,
		Filename:   key.file,
	}
	b.functions[key] = f
	b.p.Function = append(b.p.Function, f)
	return f
}

// text keeps one odd name from making the whole profile unreadable: strict
// readers of the format refuse invalid UTF-8.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
