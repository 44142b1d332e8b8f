package serverview

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// look is what a server said.
type look struct {
	flavor *flavor
	q      *sql.Conn
	sql    bool   // statements may be shown
	id     uint64 // the look's own session
	shared bool   // the look's account is that of the pools
	user   string // that account, if it is

	sessions map[uint64]*Session
	// starts says how long ago sessions began, where the server tells. uptime
	// is how long the server has been up, or 0.
	starts map[uint64]time.Duration
	uptime time.Duration
	// partial is set if the server may have sessions that it doesn't show.
	partial bool
	notices []Notice
	edges   int

	mysql map[uint64]*mysqlSession // what else is known of them
}

const (
	// maxEdges bounds what is kept of who waits for whom.
	maxEdges = 10_000
	// maxSessions bounds a view.
	maxSessions = 500
	// settled is how long a server may take to notice that a connection was
	// closed.
	settled = 2 * time.Second
)

func (l *look) notice(what, grant string) {
	l.notices = append(l.notices, Notice{what, grant})
}

// each calls f for every row that a query returns.
func (l *look) each(ctx context.Context, query string, f func(scan func(...any) error) error) error {
	rows, err := l.q.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// wait notes that a session waits for another one.
func (l *look) wait(waiter uint64, b Block) {
	s := l.sessions[waiter]
	if s == nil || waiter == b.By {
		return
	}
	if slices.ContainsFunc(s.BlockedBy, func(known Block) bool { return known.By == b.By }) {
		return
	}
	if l.edges++; l.edges > maxEdges {
		return
	}
	s.BlockedBy = append(s.BlockedBy, b)
	s.State = StateWaiting
}

// judge writes down what concerns the pools.
func (l *look) judge(out *Server, mine connections) {
	l.graph()
	if own := l.sessions[l.id]; own != nil && l.shared {
		l.user = own.User
	}
	delete(l.sessions, l.id)
	wanted := make(map[uint64]bool)
	orphans := make(map[uint64]bool)
	for _, c := range mine.own {
		out.Open++
		if len(c.Findings) > 0 {
			out.InUse++
		}
		s := l.join(c, l.user)
		switch {
		case s == nil && len(c.Findings) > 0 && l.wouldShow(c.ID):
			s = &Session{ID: c.ID, State: StateGone, Kill: l.kill(c.ID)}
			s.Conn = connOf(c)
			out.Sessions = append(out.Sessions, *s)
		case s == nil:
		case c.PoolClosed:
			orphans[s.ID] = true
		case len(c.Findings) > 0 || s.Tx || s.State != StateIdle:
			wanted[s.ID] = true
		}
	}
	for _, c := range mine.others {
		l.join(c, "")
	}
	for _, c := range mine.closed {
		if time.Since(c.ClosedAt) > settled {
			if s := l.join(c, ""); s != nil {
				orphans[s.ID] = true
			}
		}
	}
	for _, id := range slices.Concat(keys(wanted), keys(orphans)) {
		l.related(id, wanted)
	}
	for id, s := range l.sessions {
		switch {
		case orphans[id]:
			out.Orphans = append(out.Orphans, *s)
		case wanted[id]:
			out.Sessions = append(out.Sessions, *s)
		}
	}
	sortSessions(out.Sessions)
	sortSessions(out.Orphans)
	if n := len(out.Sessions); n > maxSessions {
		out.Sessions = out.Sessions[:maxSessions]
		l.notice(fmt.Sprintf("%d sessions more than the %d that are shown", n-maxSessions, maxSessions), "")
	}
	if l.edges > maxEdges {
		l.notice(fmt.Sprintf("%d waits more than the %d that were followed", l.edges-maxEdges, maxEdges), "")
	}
	if mine.elsewhere > 0 {
		l.notice(fmt.Sprintf("%d connections of the pool are on another server than the one that answered", mine.elsewhere), "")
	}
	out.Notices = l.notices
}

// wouldShow reports whether a connection of the pools that isn't among the
// sessions can't be on the server.
func (l *look) wouldShow(id uint64) bool {
	s := l.sessions[id]
	return l.shared && !l.partial && (s == nil || s.State != StateHidden)
}

func keys(m map[uint64]bool) (out []uint64) {
	for id := range m {
		out = append(out, id)
	}
	return out
}

// related adds those whom a session waits for, and who wait for it.
func (l *look) related(id uint64, to map[uint64]bool) {
	s := l.sessions[id]
	for _, other := range slices.Concat(s.Blocks, l.blockers(id)) {
		to[other] = true
	}
}

// join ties a connection to the server's session; nil if the server has no such
// session, or it is another's that has got the number since. user is the account,
// if it is known.
func (l *look) join(c tracker.Connection, user string) *Session {
	s := l.sessions[c.ID]
	if s == nil || s.Conn != nil || user != "" && s.User != user {
		return nil
	}
	age := time.Since(c.Since)
	if start, known := l.starts[c.ID]; known {
		// It began as the number was learned, or before, by no more than it
		// takes to connect.
		if start < age-settled || start > age+time.Minute {
			return nil
		}
	} else if l.uptime == 0 || l.uptime < age-settled {
		return nil
	}
	s.Conn = connOf(c)
	return s
}

func connOf(c tracker.Connection) *Conn {
	out := &Conn{Pool: c.Pool, PoolClosed: c.PoolClosed, LastSite: c.LastSite}
	if !c.ClosedAt.IsZero() {
		out.ClosedFor = time.Since(c.ClosedAt)
	}
	for _, f := range c.Findings {
		out.Holders = append(out.Holders, Holder{
			Finding: f.ID, Kind: f.Kind, State: f.State, Site: f.Site, Age: f.Age, Reason: f.Reason,
		})
	}
	return out
}

func (l *look) kill(id uint64) string { return fmt.Sprintf(l.flavor.kill, id) }

// sortSessions puts the root blockers first, then who has more waiters, then
// who is longer in his state.
func sortSessions(s []Session) {
	slices.SortFunc(s, func(a, b Session) int {
		if a.isRoot() != b.isRoot() {
			if a.isRoot() {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(len(b.Blocks), len(a.Blocks)), cmp.Compare(b.InState, a.InState), cmp.Compare(a.ID, b.ID))
	})
}
