package tracker

import "github.com/dbleaks-go/dbleaks/internal/record"

// maxSiteTotals bounds the lines that have totals of their own.
const maxSiteTotals = 50

// SiteTotals are the totals of one line: of the handles of one kind that it
// opened in the pools of one name.
type SiteTotals struct {
	Pool string
	Kind Kind
	Site Frame
	Totals
}

// siteTotals are counted for the first lines that were ever reported, and for
// these until the process ends, so that no count ever goes down.
type siteTotals struct {
	list  []SiteTotals
	index map[record.Key]int
}

// add counts for a line of which v is a handle.
func (s *siteTotals) add(c *config, key record.Key, v *record.View, n Totals) {
	i, ok := s.index[key]
	if !ok {
		if n == (Totals{}) || len(s.list) >= maxSiteTotals {
			return
		}
		if s.index == nil {
			s.index = make(map[record.Key]int)
		}
		i = len(s.list)
		s.index[key] = i
		s.list = append(s.list, SiteTotals{
			Pool: v.Pool.Name, Kind: kindOf(v.Kind, v.Stack), Site: frame(v.Stack.Locate(c.libraries).Site),
		})
	}
	s.list[i].add(n)
}

// recovered counts reported handles that were given back.
func (s *siteTotals) recovered(key record.Key, n int) {
	if i, ok := s.index[key]; ok {
		s.list[i].Recovered += uint64(n)
	}
}

func (t *Totals) add(n Totals) {
	t.Reported += n.Reported
	t.Overdue += n.Overdue
	t.Leaked += n.Leaked
	t.Recovered += n.Recovered
}
