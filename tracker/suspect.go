package tracker

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// A goroutine may have handed what it holds to another one in ways that no dump
// shows, as through a channel to a worker. That one will usually use it soon, or
// give it back. So what seems to be a deadlock is told only if it looks the same
// some seconds later: the same goroutines wait on the same lines, for the same
// handles, and nobody has made a driver call on any of them. As long as somebody
// is there who may have been handed one of them, it is told as a suspicion.

// sureAfter is for how long what seems to be a deadlock must not change.
const sureAfter = 3 * time.Second

// suspect is what seems to be a deadlock.
type suspect struct {
	Deadlock
	pools []*record.Pool
	// key is the same while nothing about it changes.
	key string
}

func keyOfSuspect(members []DeadlockMember, views []*record.View) string {
	var b strings.Builder
	for _, m := range members {
		fmt.Fprintln(&b, m.Goroutine, m.Waits.File, m.Waits.Line, m.WaitsFor, m.Behind)
	}
	for _, v := range views {
		fmt.Fprintln(&b, v.ID, v.Calls, v.Goroutine)
	}
	return b.String()
}

// makeSure adds to the diagnosis those deadlocks that are sure, and notes the
// pools of those that aren't. It is called with mu held.
func (s *diagnosing) makeSure(d Diagnosis, seen []suspect) Diagnosis {
	since := make(map[string]time.Time)
	s.suspects = nil
	for _, x := range seen {
		first, known := s.since[x.key]
		if !known {
			first = d.TakenAt
		}
		since[x.key] = first
		if d.TakenAt.Sub(first) < sureAfter {
			s.suspects = append(s.suspects, x.pools...)
			continue
		}
		d.Deadlocks = append(d.Deadlocks, x.Deadlock)
	}
	s.since = since
	slices.SortFunc(d.Deadlocks, func(a, b Deadlock) int { return slices.Compare(a.Pools, b.Pools) })
	return d
}
