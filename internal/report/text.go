package report

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/words"
)

const timeLayout = "2006-01-02 15:04:05 -07:00"

// WriteText writes the document for people: tables, and the details of each
// finding. Whatever the document holds, the text holds no byte that a
// terminal acts on except line ends. The only errors are those of w.
func WriteText(w io.Writer, d Document) error {
	d = d.Printable()
	var b bytes.Buffer
	writeHead(&b, d)
	writeExhausted(&b, d)
	writeRefused(&b, d)
	writeFindings(&b, d)
	writePools(&b, d)
	writeOpen(&b, d)
	writeEnded(&b, d)
	writeFoot(&b, d)
	_, err := w.Write(b.Bytes())
	return err
}

func writeHead(b *bytes.Buffer, d Document) {
	fmt.Fprintf(b, "%s, at %s\n", d.Process.Words(), d.GeneratedAt.Format(timeLayout))
	fmt.Fprintf(b, "%s\n", d.Headline())
	if d.Filter != "" {
		fmt.Fprintf(b, "Only what passes the filter %s.\n", d.Filter)
	}
}

// Headline sums the document up in a sentence.
func (d Document) Headline() string {
	pools := words.Plural(len(d.Pools), "pool")
	if n := len(d.Exhausted()); n > 0 {
		pools += fmt.Sprintf(", %d of them exhausted,", n)
	}
	if s := d.Summary; s.Leaked+s.Overdue > 0 {
		return fmt.Sprintf("%d leaked, %d overdue, %d open within their thresholds; watching %s for %s.",
			s.Leaked, s.Overdue, s.Open, pools, words.Duration(d.GeneratedAt.Sub(d.Since)))
	}
	return fmt.Sprintf("Nothing held beyond its threshold; watching %s since %s.", pools, d.Since.Format(timeLayout))
}

func writeFindings(b *bytes.Buffer, d Document) {
	if len(d.Findings) == 0 {
		return
	}
	t := newTable("STATE", "KIND", ">COUNT", ">AGE", "POOL", "SITE")
	for _, f := range d.Findings {
		t.add(f.State, f.Kind, strconv.Itoa(f.Count), words.Duration(f.Age()), f.Pool, f.Site.Short())
	}
	b.WriteString("\nFINDINGS\n")
	t.write(b)
	for i, f := range d.Findings {
		writeDetails(b, i+1, f)
	}
}

func writeDetails(b *bytes.Buffer, number int, f Finding) {
	fmt.Fprintf(b, "\n%d. %s\n", number, f.Headline())
	field(b, "at", f.Site.Function)
	field(b, "", f.Site.Place())
	field(b, "why", f.Reason)
	field(b, "do", f.Advice)
	field(b, "usual", f.Usual)
	field(b, "query", f.Query)
	if f.Busy != "" {
		field(b, "busy", "in a driver call now: "+f.Busy)
	}
	field(b, "kept", f.LongLived)
	field(b, "scope", f.Scope)
	field(b, "labels", f.LabelList())
	opened := f.OpenedAt.Format(timeLayout)
	if f.Goroutine != 0 {
		opened += fmt.Sprintf(", by goroutine %d", f.Goroutine)
	}
	field(b, "opened", opened)
	label := "inside"
	for _, c := range f.Children {
		field(b, label, Handles(c.Count, c.Kind)+"  "+c.Site.Short())
		field(b, "", c.Query)
		label = ""
	}
	label = "stack"
	for _, s := range f.Stack {
		field(b, label, s.Function)
		field(b, "", "    "+s.Place())
		label = ""
	}
}

// field writes one line of details, or nothing if there is nothing to say.
func field(b *bytes.Buffer, label, value string) {
	if value != "" {
		fmt.Fprintf(b, "   %-8s%s\n", label, value)
	}
}

func writePools(b *bytes.Buffer, d Document) {
	if len(d.Pools) == 0 {
		return
	}
	t := newTable("POOL", "DRIVER", "SOURCE", ">IN USE", ">LIMIT", ">IDLE", ">WAITS", ">WAITED",
		">OVERDUE", ">LEAKED", "OPEN HANDLES", "OPENED AT")
	for _, p := range d.PoolGroups() {
		name := p.Name
		if p.Count > 1 {
			name = fmt.Sprintf("%s (%d alike)", name, p.Count)
		}
		if p.Closed {
			name += " (closed)"
		}
		limit, waits, waited := "-", "-", "-"
		if s := p.Stats; s != nil {
			limit, waits, waited = s.Limit(), strconv.FormatInt(s.Waits, 10), words.Duration(Seconds(s.WaitSeconds))
		}
		t.add(name, p.Driver, p.Source, strconv.Itoa(p.InUse), limit, strconv.Itoa(p.Idle), waits, waited,
			strconv.Itoa(p.Overdue), strconv.Itoa(p.Leaked), strings.Join(p.OpenList(), ", "), p.Site.Short())
	}
	b.WriteString("\nPOOLS\n")
	t.write(b)
}

func writeOpen(b *bytes.Buffer, d Document) {
	open := d.InUse()
	if len(open) == 0 {
		return
	}
	t := newTable("KIND", ">COUNT", ">AGE", "POOL", "SITE", "NOTE")
	for _, f := range open {
		t.add(f.Kind, strconv.Itoa(f.Count), words.Duration(f.Age()), f.Pool, f.Site.Short(), f.Note())
	}
	b.WriteString("\nOPEN, no cause for alarm\n")
	t.write(b)
}

func writeEnded(b *bytes.Buffer, d Document) {
	if len(d.Ended) == 0 {
		return
	}
	t := newTable(">ENDED", "KIND", ">GIVEN BACK", ">GONE", ">HELD", "POOL", "SITE")
	for _, e := range d.Ended {
		f, held := e.Finding, "-"
		if e.Recovered > 0 {
			held = words.Duration(e.Held())
		}
		t.add(words.Duration(d.GeneratedAt.Sub(e.EndedAt))+" ago", f.Kind, strconv.Itoa(e.Recovered),
			strconv.Itoa(e.Gone), held, f.Pool, f.Site.Short())
	}
	b.WriteString("\nRECENTLY ENDED\n")
	t.write(b)
}

func writeFoot(b *bytes.Buffer, d Document) {
	fmt.Fprintf(b, "\nSince %s: %s.\n", d.Since.Format(timeLayout), d.Totals.Words())
	if list := d.ThresholdWords(); list != "" {
		fmt.Fprintf(b, "Thresholds: %s.\n", list)
	}
	for _, t := range d.SiteThresholds {
		fmt.Fprintf(b, "Threshold by site: %s\n", t.Words())
	}
	fmt.Fprintf(b, "Own cost: %s.\n", d.Overhead.Words(d.GeneratedAt))
	if d.SelfTest != nil {
		fmt.Fprintf(b, "Self-test: %s.\n", d.SelfTest.Words(d.GeneratedAt))
	}
	if d.QueriesHidden {
		b.WriteString("SQL text is hidden from this reader; httpdebug.Allow decides who may see it.\n")
	}
	for _, limit := range d.Limits() {
		fmt.Fprintln(b, limit)
	}
}

// Age is the age of the finding's oldest handle.
func (f Finding) Age() time.Duration { return Seconds(f.AgeSeconds) }

// Median is the age that half of the finding's handles are not younger than.
func (f Finding) Median() time.Duration { return Seconds(f.MedianSeconds) }

// Held is the longest time that a handle of the ended finding was open.
func (e Ended) Held() time.Duration { return Seconds(e.HeldSeconds) }
