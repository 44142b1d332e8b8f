package serverview

import (
	"cmp"
	"slices"
)

// graph follows the waits: it fills Blocks and Roots of all sessions. Those in
// a circle, which a server breaks by itself, have no root of it.
func (l *look) graph() {
	for id, s := range l.sessions {
		if len(s.BlockedBy) == 0 {
			continue
		}
		slices.SortFunc(s.BlockedBy, func(a, b Block) int { return cmp.Compare(a.By, b.By) })
		for _, by := range l.blockers(id) {
			b := l.sessions[by]
			if b == nil {
				continue
			}
			b.Blocks = append(b.Blocks, id)
			if len(b.BlockedBy) == 0 {
				s.Roots = append(s.Roots, by)
			}
		}
		slices.Sort(s.Roots)
	}
	for _, s := range l.sessions {
		slices.Sort(s.Blocks)
	}
}

// blockers are those whom a session waits for, directly or through others.
func (l *look) blockers(id uint64) (out []uint64) {
	seen := map[uint64]bool{id: true}
	for next := []uint64{id}; len(next) > 0; {
		s := l.sessions[next[0]]
		next = next[1:]
		if s == nil {
			continue
		}
		for _, b := range s.BlockedBy {
			if !seen[b.By] {
				seen[b.By] = true
				next, out = append(next, b.By), append(out, b.By)
			}
		}
	}
	return out
}
