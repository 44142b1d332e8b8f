package tracker

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// SiteThreshold is the threshold of what is opened at the sites that match a
// pattern; see [WithSiteThreshold].
type SiteThreshold struct {
	Pattern   string
	Threshold time.Duration // 0 means never overdue
}

// WithSiteThreshold sets, for handles whose site matches the regular
// expression, how long they may be held without any activity before they are
// overdue, instead of the threshold of their kind ([WithKindThreshold]); 0
// means never. The site is written as for [IgnoreSite]:
// "import/path.Function /path/file.go:42".
//
// Of several patterns that match, the one given last counts; a pattern that is
// given again takes the new threshold and the last place. A context goes
// before the site ([WithThreshold], [LongLived]). What holds such a handle, as
// a transaction holds rows, may be held for as long, unless its own context
// says otherwise. [WithMaxAge] is not changed by it.
//
// A site is matched once for each call stack and configuration, when a sweep
// or a snapshot first meets a handle that was opened with it; queries pay
// nothing.
func WithSiteThreshold(pattern string, d time.Duration) Option {
	return func(c *config) error {
		re, err := regexp.Compile(pattern)
		switch {
		case err != nil:
			return fmt.Errorf("tracker: WithSiteThreshold(%q): %w", pattern, err)
		case pattern == "":
			return errors.New("tracker: WithSiteThreshold: an empty pattern matches every site; WithKindThreshold is for all of them")
		case d < 0:
			return fmt.Errorf("tracker: WithSiteThreshold(%q, %v): a threshold can't be negative; 0 means never overdue", pattern, d)
		}
		others := slices.DeleteFunc(slices.Clone(c.sites), func(s record.SiteLimit) bool { return s.Pattern.String() == pattern })
		c.sites = append(others, record.SiteLimit{Pattern: re, Threshold: d})
		return nil
	}
}

func (c *config) siteThresholds() []SiteThreshold {
	var out []SiteThreshold
	for _, s := range c.sites {
		out = append(out, SiteThreshold{Pattern: s.Pattern.String(), Threshold: s.Threshold})
	}
	return out
}
