package report

import (
	"bytes"
	"cmp"
	"fmt"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// Exhausted are the pools that are.
func (d Document) Exhausted() (out []Pool) {
	for _, p := range d.Pools {
		if p.Exhausted != nil {
			out = append(out, p)
		}
	}
	return out
}

// ExhaustedWords counts them; empty if there are none.
func (d Document) ExhaustedWords() string {
	if n := len(d.Exhausted()); n > 0 {
		return words.Plural(n, "pool") + " exhausted"
	}
	return ""
}

// Age is the age of the holder's oldest handle.
func (h Holder) Age() time.Duration { return Seconds(h.AgeSeconds) }

// Note says for how long a connection is held, and what is going on.
func (h Holder) Note() string {
	note := "for " + words.Duration(h.Age())
	if h.Count > 1 {
		note = "the oldest " + note
	}
	if h.Busy != "" {
		note += ", in a driver call (" + h.Busy + ")"
	}
	return note
}

// Now says what the openers do, a line for each that do the same.
func (h Holder) Now() (out []string) {
	for _, o := range h.Openers {
		out = append(out, o.words(len(h.Openers) > 1, h.Site))
	}
	return out
}

// words says what the goroutines do that opened handles at the site; counted, how
// many if it is one. Those that are in no function of the application are no
// longer in that one.
func (o Opener) words(counted bool, site Frame) string {
	said := o.Doing()
	if counted || o.Count > 1 {
		said = fmt.Sprintf("%d × %s", o.Count, said)
	}
	switch at := o.At.Short(); {
	case at != "":
		said += " at " + at
	case o.State != "exited" && o.State != "unknown":
		said += ", has returned from " + site.ShortFunction()
	}
	return said
}

// Headline is "Deadlock", or "Suspected deadlock" if there is a doubt.
func (l Deadlock) Headline() string { return upper(tracker.Deadlock{Doubt: l.Doubt}.Headline()) }

// Words says what the goroutine holds, and what it waits for.
func (m DeadlockMember) Words() string {
	return fmt.Sprintf("goroutine %d holds the %s of %s and waits at %s for %s",
		m.Goroutine, m.Kind, m.Holds.Short(), m.Waits.Short(), m.what())
}

// what it waits for.
func (m DeadlockMember) what() string {
	what := "pool " + m.WaitsFor
	if m.Behind == 0 {
		return what
	}
	behind := fmt.Sprintf(cmp.Or(links[m.Via], "goroutine %d"), m.Behind)
	return fmt.Sprintf("%s, itself waiting at %s for %s", behind, m.BehindAt.Short(), what)
}

// links say for whom a goroutine waits.
var links = map[string]string{
	"group":    "goroutine %d, which it has started",
	"mutex":    "a mutex that goroutine %d seems to hold",
	"iterator": "goroutine %d, at the other end of an iterator",
	"channel":  "what goroutine %d, which it has started, seems to send",
}

func writeExhausted(b *bytes.Buffer, d Document) {
	pools := d.Exhausted()
	if len(pools) == 0 {
		return
	}
	b.WriteString("\nEXHAUSTED\n")
	for _, p := range pools {
		fmt.Fprintf(b, "pool %s: %s\n", p.Name, p.Exhausted.Reason)
		field(b, "growth", p.Exhausted.Growth)
		label := "held by"
		for _, h := range p.Exhausted.Holders {
			field(b, label, fmt.Sprintf("%s, %s, %s: %s", Handles(h.Count, h.Kind), h.State, h.Note(), h.Site.Short()))
			label = ""
			for _, now := range h.Now() {
				field(b, label, "    opener now: "+now)
			}
		}
		if n := p.Exhausted.Others; n > 0 {
			field(b, label, fmt.Sprintf("and %d more", n))
		}
		label = "waiting"
		for _, w := range p.Exhausted.Waiters {
			field(b, label, fmt.Sprintf("%s: %s", words.Plural(w.Count, "goroutine"), w.Site.Short()))
			label = ""
		}
		label = "stuck"
		for _, l := range p.Exhausted.Deadlocks {
			field(b, label, l.Headline()+": "+l.Reason)
			label = ""
			for _, m := range l.Members {
				field(b, label, "    "+m.Words())
			}
		}
		if at := p.Exhausted.AskedAt; !at.IsZero() {
			field(b, "as of", at.Format(timeLayout)+", of what goroutines do")
		}
		label = "do"
		for _, a := range p.Exhausted.Advice {
			field(b, label, a)
			label = ""
		}
	}
}
