package callstack

import (
	"fmt"
	"regexp"
)

// Text is the frame as patterns of sites are matched with it:
// "import/path.Function /path/file.go:42".
func (f Frame) Text() string { return fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line) }

// Patterns are regular expressions over the text of sites. They must not
// change once they were used.
type Patterns struct{ List []*regexp.Regexp }

// matched is what Last found.
type matched struct {
	by   *Patterns
	last int
}

// Last returns the index of the last pattern that the site matches, or -1. It
// is cached for the Patterns that were used last.
func (at *Located) Last(p *Patterns) int {
	if m := at.matched.Load(); m != nil && m.by == p {
		return m.last
	}
	m := &matched{by: p, last: -1}
	text := at.Site.Text()
	for i, re := range p.List {
		if re.MatchString(text) {
			m.last = i
		}
	}
	at.matched.Store(m)
	return m.last
}
