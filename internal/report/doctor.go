package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/words"
)

// WriteDoctor writes the document's diagnosis as a person would: what is the
// matter, and then what shows it. It holds no byte that a terminal acts on but
// line ends. The only errors are those of w.
func WriteDoctor(w io.Writer, d Document) error {
	d = d.Printable()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s, at %s\n\n", d.Process.Words(), d.GeneratedAt.Format(timeLayout))
	for _, sentence := range d.Verdict() {
		fmt.Fprintf(&b, "- %s\n", sentence)
	}
	if x := d.Diagnosis; x != nil {
		for i, l := range x.Deadlocks {
			writeDeadlock(&b, i+1, l)
		}
		for _, p := range x.Pools {
			x.writePool(&b, p)
		}
		x.writeServers(&b)
	}
	writeFindings(&b, d)
	_, err := w.Write(b.Bytes())
	return err
}

// verdictFindings bounds the findings in a verdict: the surest come first.
const verdictFindings = 5

// Verdict says what is the matter, in sentences: first what keeps callers
// waiting, then what is lost, then what is only suspected.
func (d Document) Verdict() (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if d.Diagnosis != nil {
		for _, l := range d.Diagnosis.Deadlocks {
			say("%s: %s. %s.", l.Headline(), l.Reason, upper(l.Advice))
		}
		for _, p := range d.Diagnosis.Pools {
			if p.Waiting > 0 {
				say("%s", p.verdict())
			}
		}
		for _, p := range d.Exhausted() {
			if !d.Diagnosis.waitsFor(p.ID) {
				say("Pool %s is exhausted: %s; what the goroutines do doesn't tell where.", p.Name, p.Exhausted.Reason)
			}
		}
		if v := d.Diagnosis.ServerView; v != nil {
			out = append(out, v.verdict()...)
		}
	}
	for _, r := range d.Refused() {
		say("%s", r.verdict())
	}
	for _, f := range d.Findings[:min(len(d.Findings), verdictFindings)] {
		say("%s, opened at %s: %s.", upper(f.Headline()), f.Site.Short(), f.Reason)
	}
	if n := len(d.Findings) - verdictFindings; n > 0 {
		say("And %s more; see below.", words.Plural(n, "finding"))
	}
	switch {
	case len(d.Pools) == 0:
		say("No pool is watched here: is the database opened through driverwrap, and is the filter right?")
	case len(out) == 0:
		say("Nothing is the matter: nobody waits for a connection, and nothing is held beyond its threshold.")
	}
	if x := d.Diagnosis; x != nil && x.ServerView != nil {
		out = append(out, x.ServerView.unseen()...)
	}
	if x := d.Diagnosis; x != nil && x.Missing > 0 {
		say("Of %d of %d goroutines it isn't known what they do, so deadlocks were not looked for.", x.Missing, x.Goroutines)
	}
	return out
}

// waitsFor reports whether goroutines are known to wait for a pool.
func (x *Diagnosis) waitsFor(pool uint64) bool {
	return slices.ContainsFunc(x.Pools, func(p DiagnosedPool) bool { return p.ID == pool && p.Waiting > 0 })
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// verdict says who waits for the pool, and who holds most of it.
func (p DiagnosedPool) verdict() string {
	wait := "waits"
	if p.Waiting > 1 {
		wait = "wait"
	}
	said := fmt.Sprintf("%s %s for a connection of pool %s", words.Plural(p.Waiting, "goroutine"), wait, p.Name)
	if p.full() {
		said += fmt.Sprintf(", all %d of which are in use", *p.Limit)
	}
	if len(p.Holders) == 0 {
		return said + "."
	}
	most := p.Holders[0]
	for _, h := range p.Holders {
		if h.Count > most.Count {
			most = h
		}
	}
	return fmt.Sprintf("%s; most are held by %s opened at %s, the oldest for %s.",
		said, Handles(most.Count, most.Kind), most.Site.Short(), words.Duration(most.Age()))
}

func (p DiagnosedPool) full() bool {
	return p.Limit != nil && p.InUse != nil && *p.Limit > 0 && *p.InUse >= *p.Limit
}

func writeDeadlock(b *bytes.Buffer, number int, l Deadlock) {
	fmt.Fprintf(b, "\n%s %d, of %s\n", strings.ToUpper(l.Headline()), number, strings.Join(l.Pools, ", "))
	t := newTable(">GOROUTINE", "HOLDS", "OPENED AT", "WAITS AT", "FOR")
	for _, m := range l.Members {
		t.add(strconv.FormatInt(m.Goroutine, 10), m.Kind+" of pool "+m.Pool, m.Holds.Short(), m.Waits.Short(), m.what())
	}
	t.write(b)
	if l.Others > 0 {
		fmt.Fprintf(b, "and %d more\n", l.Others)
	}
	if l.Doubt != "" {
		fmt.Fprintf(b, "unless %s\n", l.Doubt)
	}
	fmt.Fprintf(b, "do: %s\n", l.Advice)
}

func (x *Diagnosis) writePool(b *bytes.Buffer, p DiagnosedPool) {
	fmt.Fprintf(b, "\nPOOL %s", p.Name)
	if p.Limit != nil {
		fmt.Fprintf(b, ": %d in use, limit %s", *p.InUse, Stats{MaxOpen: *p.Limit}.Limit())
	}
	b.WriteString("\n")
	if len(p.Holders) > 0 {
		columns := []string{"HELD BY", ">COUNT", ">AGE", "STATE", "OPENED AT", "OPENER NOW"}
		if x.ServerView != nil {
			columns = append(columns, "IN THE SERVER")
		}
		t := newTable(columns...)
		for _, h := range p.Holders {
			x.addHolder(t, p.Name, h)
		}
		t.write(b)
	}
	if len(p.Waiters) > 0 {
		t := newTable("WAITS", ">COUNT", ">LONGEST", "AT")
		for _, w := range p.Waiters {
			t.add("for it", strconv.Itoa(w.Count), blocked(w.LongestSeconds), w.Site.Short())
		}
		t.write(b)
	}
	for _, a := range p.Advice {
		fmt.Fprintf(b, "do: %s\n", a)
	}
}

// maxSessions bounds the sessions that are listed beside a line.
const maxSessions = 5

// addHolder adds a line that holds connections: beside it what its openers do
// and, if that is known, its sessions.
func (x *Diagnosis) addHolder(t *table, pool string, h DiagnosedLine) {
	var openers, sessions []string
	for _, o := range h.Openers {
		openers = append(openers, o.words(len(h.Openers) > 1, h.Site))
	}
	if x.ServerView != nil {
		sessions = briefs(x.ServerView.held(pool, h.ID))
		if n := len(sessions) - maxSessions; n > 0 {
			sessions = append(sessions[:maxSessions], fmt.Sprintf("and %d more", n))
		}
	}
	at := func(list []string, i int) string {
		if i < len(list) {
			return list[i]
		}
		return ""
	}
	for i := range max(1, len(openers), len(sessions)) {
		row := []string{"", "", "", "", ""}
		if i == 0 {
			row = []string{h.Kind, strconv.Itoa(h.Count), words.Duration(h.Age()), h.State, h.Site.Short()}
		}
		row = append(row, at(openers, i))
		if x.ServerView != nil {
			row = append(row, at(sessions, i))
		}
		t.add(row...)
	}
}

func (x *Diagnosis) writeServers(b *bytes.Buffer) {
	if x.ServerView == nil || len(x.ServerView.Servers) == 0 {
		return
	}
	b.WriteString("\nIN THE SERVER\n")
	for _, s := range x.ServerView.Servers {
		s.write(b)
	}
}

// blocked is for how long a goroutine is, which the runtime tells in minutes.
func blocked(seconds float64) string {
	if seconds < 60 {
		return "<1m"
	}
	return words.Duration(Seconds(seconds))
}
