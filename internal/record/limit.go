package record

import (
	"regexp"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// Limit is how long a handle may be held without activity, and who says so: its
// context or its site or, if neither does, its kind.
type Limit struct {
	Threshold time.Duration // 0 means for ever
	Context   bool          // its context says so
	Site      *SiteLimit    // its site says so; nil if not
}

// SiteLimit is the threshold of what is opened at the sites that match a
// pattern.
type SiteLimit struct {
	Pattern   *regexp.Regexp
	Threshold time.Duration
}

// Sites are the thresholds by site. Use [NewSites]; nil has none.
type Sites struct {
	list      []SiteLimit
	patterns  callstack.Patterns
	libraries *callstack.Libraries
}

// NewSites keeps the list, which must not change. Of several patterns that
// match, the last one counts. The libraries are never a site.
func NewSites(list []SiteLimit, libraries *callstack.Libraries) *Sites {
	if len(list) == 0 {
		return nil
	}
	s := &Sites{list: list, libraries: libraries}
	for _, l := range list {
		s.patterns.List = append(s.patterns.List, l.Pattern)
	}
	return s
}

// of is what is said of the stack's site; nil if nothing.
func (s *Sites) of(stack *callstack.Stack) *SiteLimit {
	if s == nil {
		return nil
	}
	if i := stack.Locate(s.libraries).Last(&s.patterns); i >= 0 {
		return &s.list[i]
	}
	return nil
}

// limit is that of a handle. A statement has none: it is never overdue by age.
func (p Policy) limit(k Kind, stack *callstack.Stack, t *Terms) Limit {
	switch {
	case t != nil && t.LongLived != "":
		return Limit{Context: true}
	case k != KindConn && k != KindTx && k != KindRows:
		return Limit{}
	case t != nil && t.HasThreshold:
		return Limit{Threshold: t.Threshold, Context: true}
	}
	if s := p.Sites.of(stack); s != nil {
		return Limit{Threshold: s.Threshold, Site: s}
	}
	switch k {
	case KindConn:
		return Limit{Threshold: p.Conn}
	case KindTx:
		return Limit{Threshold: p.Tx}
	}
	return Limit{Threshold: p.Rows}
}

// outlasts reports whether a handle may be held for longer than what holds it,
// and says so itself: its kind doesn't, and its site doesn't to a context.
func (l Limit) outlasts(holder Limit, byContext bool) bool {
	return (l.Context || l.Site != nil && !byContext) && holder.Threshold > 0 &&
		(l.Threshold == 0 || l.Threshold > holder.Threshold)
}
