package tracker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
	"github.com/dbleaks-go/dbleaks/internal/source"
	"github.com/dbleaks-go/dbleaks/internal/words"
)

// String describes the report for people, one paragraph for each finding; it
// is empty for an empty report. The source line is shown where the file can
// be read. SQL text is shown without literals.
func (r Report) String() string {
	if r.Empty() {
		return ""
	}
	handles, sessions, places := 0, 0, 0
	for _, f := range r.Findings {
		if f.Kind == KindSession {
			sessions += f.Count
			continue
		}
		handles += f.Count
		places++
	}
	var b strings.Builder
	b.WriteString("dbleaks: ")
	if handles > 0 {
		fmt.Fprintf(&b, "%s not given back", plural(handles, "handle was", "handles were"))
	}
	if places > 1 {
		fmt.Fprintf(&b, ", opened at %d places", places)
	}
	if handles > 0 && sessions > 0 {
		b.WriteString("; ")
	}
	if sessions > 0 {
		fmt.Fprintf(&b, "%s left dirty", plural(sessions, "session was", "sessions were"))
	}
	b.WriteString("\n")
	for _, f := range r.Findings {
		b.WriteString("\n")
		f.describe(&b)
	}
	return b.String()
}

// String describes the finding for people, in several lines.
func (f Finding) String() string {
	var b strings.Builder
	f.describe(&b)
	return b.String()
}

func (f Finding) describe(b *strings.Builder) {
	fmt.Fprintf(b, "%s %s", f.Kind, strings.ToUpper(f.State.String()))
	if f.Proof != "" {
		fmt.Fprintf(b, " (%s)", f.Proof)
	}
	if f.Count > 1 {
		fmt.Fprintf(b, ", %d of them, the oldest", f.Count)
	} else {
		b.WriteString(",")
	}
	fmt.Fprintf(b, " open for %s\n", words.Duration(f.Age))
	fmt.Fprintf(b, "    %s\n    %s:%d\n", f.Site.Function, f.Site.File, f.Site.Line)
	lines, _ := source.Read(f.Site.File, f.Site.Line, 0)
	for _, l := range lines {
		if text := strings.TrimSpace(l.Text); text != "" {
			fmt.Fprintf(b, "        %s\n", text)
		}
	}
	item := func(label, text string) {
		if text != "" {
			fmt.Fprintf(b, "  %-7s %s\n", label, text)
		}
	}
	item("why", f.Reason)
	item("do", f.Advice)
	item("usual", f.Usual)
	item("scope", f.Scope)
	for _, l := range f.Labels {
		item("label", l.Key+"="+l.Value)
	}
	item("pool", f.Pool)
	item("sql", f.Query)
	for _, c := range f.Children {
		item("inside", fmt.Sprintf("%d %s, %s:%d", c.Count, c.Kind, c.Site.File, c.Site.Line))
	}
	b.WriteString("  stack\n")
	for _, fr := range withoutStart(f.Stack) {
		fmt.Fprintf(b, "    %s\n        %s:%d\n", fr.Function, fr.File, fr.Line)
	}
}

// starters are the packages that call an application's outermost function.
var starters = []string{"runtime", "testing", "testing/synctest", "internal/synctest", "net/http", "sync"}

// withoutStart cuts the outer end of a stack: what started the goroutine, or
// serves HTTP, tells nothing.
func withoutStart(stack []Frame) []Frame {
	n := len(stack)
	for n > 1 && slices.Contains(starters, callstack.Frame{Function: stack[n-1].Function}.Package()) {
		n--
	}
	return stack[:n]
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
