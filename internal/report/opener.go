package report

import (
	"time"

	"github.com/dbleaks-go/dbleaks/internal/words"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// WithOpeners adds to the findings what the goroutines do now that opened their
// oldest handles, by the findings' IDs.
func (d Document) WithOpeners(openers map[string]tracker.Opener) Document {
	d.Findings = convert(d.Findings, func(f Finding) Finding {
		if o, ok := openers[f.ID]; ok {
			f.Opener = new(opener(o))
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

// Doing says in a few words what a single goroutine does.
func (o Opener) Doing() string {
	since := ""
	if o.LongestSeconds >= time.Minute.Seconds() {
		since = " for " + words.Duration(Seconds(o.LongestSeconds))
	}
	switch {
	case o.WaitsFor != "":
		return "waits for pool " + o.WaitsFor + since
	case o.State == "exited":
		return "exited"
	case o.State == "running" || o.State == "runnable":
		return "running"
	}
	return "blocked" + since + ": " + o.State
}
