package tracker

import (
	"iter"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// Callers are handles of a finding that were opened with the same call stack:
// a line is often reached on several ways.
type Callers struct {
	Stack []Frame // as in Finding
	// Count is the number of handles, Leaked how many of them are proven.
	Count, Leaked int
	// Oldest is the age of the oldest, and HandleSeconds the sum of all ages.
	Oldest        time.Duration
	HandleSeconds float64
}

// Callers are all handles of a snapshot's finding, those with the oldest first.
// Of a finding that an event told of only the stack of the oldest is known: then
// all handles are taken to have that one, and the median age.
func (f Finding) Callers() iter.Seq[Callers] {
	return func(yield func(Callers) bool) {
		if len(f.callers) == 0 {
			yield(Callers{f.Stack, f.Count, f.Leaked, f.Age, float64(f.Count) * f.Median.Seconds()})
			return
		}
		for _, c := range f.callers {
			if !yield(Callers{frames(c.at.Frames()), c.count, c.leaked, c.oldest, c.seconds}) {
				return
			}
		}
	}
}

// callers has no frames yet: most readers don't look.
type callers struct {
	at            *callstack.Located
	count, leaked int
	oldest        time.Duration
	seconds       float64
}

// callersOf needs the views sorted, the oldest first.
func callersOf(c *config, g *group) []callers {
	index := make(map[*callstack.Stack]int, len(g.stacks))
	var out []callers
	for _, v := range g.views {
		i, ok := index[v.Stack]
		if !ok {
			i = len(out)
			index[v.Stack] = i
			out = append(out, callers{at: v.Stack.Locate(c.libraries), oldest: v.Age})
		}
		out[i].count++
		out[i].seconds += v.Age.Seconds()
		if v.Lost {
			out[i].leaked++
		}
	}
	return out
}
