package report

import (
	"slices"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// WithOpeners adds to the findings what the goroutines do now that opened their
// oldest handles, by the findings' IDs.
func (d Document) WithOpeners(openers map[string]tracker.Opener) Document {
	d.Findings = Convert(d.Findings, func(f Finding) Finding {
		if o, ok := openers[f.ID]; ok {
			f.Opener = new(opener(o))
			f.Opener.Returned = f.Opener.returned(f.Site)
		}
		return f
	})
	return d
}

func opener(o tracker.Opener) Opener {
	return Opener{
		Goroutine: o.Goroutine, Count: o.Count, State: o.State, LongestSeconds: o.Longest.Seconds(),
		At: Frame(o.At), Stack: plainStack(o.Stack), WaitsFor: o.WaitsFor,
	}
}

// Frames are the opener's stack, with what is not the application's marked.
func (o Opener) Frames() []StackFrame { return markLibraries(o.Stack, o.At) }

// maxStack is how many frames the runtime tells of a goroutine; of more it
// leaves out those in the middle.
const maxStack = 100

// returned is true only if it is sure.
func (o Opener) returned(site Frame) bool {
	if n := len(o.Stack); n == 0 || n >= maxStack || site.Function == "" {
		return false
	}
	whole := func(function string) string {
		function, _, _ = strings.Cut(function, ".gowrap") // of a go statement in it
		function, _, _ = strings.Cut(function, "-range")  // the body of a loop over a function
		return function
	}
	return !slices.ContainsFunc(o.Stack, func(f Frame) bool { return whole(f.Function) == whole(site.Function) })
}

// Doing says in a few words what a single goroutine does.
func (o Opener) Doing() string {
	return words.Doing(o.State, o.WaitsFor, Seconds(o.LongestSeconds))
}
