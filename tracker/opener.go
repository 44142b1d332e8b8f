package tracker

import (
	"time"

	"github.com/dbleaks-go/dbleaks/internal/goroutines"
	"github.com/dbleaks-go/dbleaks/internal/reach"
)

// Openers says what the goroutines do now that opened the oldest handles of the
// findings, by the findings' IDs. A finding of which that isn't known is left
// out. Like [(*Tracker).Diagnose] it stops the world for some microseconds per
// goroutine, at most for a hundredth of the time: looked is false if it is too
// early for another look.
func (t *Tracker) Openers(findings []Finding) (openers map[string]Opener, looked bool) {
	dump := recentDump()
	if len(dump.Goroutines) == 0 {
		return nil, false
	}
	w := newWorld(t.cfg.Load(), dump, t.reg.Pools())
	since := time.Since(dump.TakenAt)
	openers = make(map[string]Opener, len(findings))
	for _, f := range findings {
		if f.Goroutine == 0 || f.Age < since {
			continue // the goroutine may be younger than the dump
		}
		o := w.opener(f.Goroutine)
		if o.State == "unknown" {
			continue
		}
		o.Count = 1
		if g := dump.Find(f.Goroutine); g != nil {
			o.Stack = gFrames(g)
		}
		openers[f.ID] = o
	}
	return openers, true
}

// recentDump may be one that was taken for somebody else.
func recentDump() *goroutines.Dump {
	if reach.Bubbled() { // whose time is its own
		return goroutines.Take()
	}
	d, _ := dumps.Dump(sharedFor)
	return d
}
