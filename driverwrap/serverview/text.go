package serverview

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/sqltext"
	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// maxQuery is the length, in bytes, to which statements are cut.
const maxQuery = 300

// text makes a statement fit to be shown, if it may be.
func (l *look) text(statement string) string {
	if !l.sql {
		return ""
	}
	return sqltext.Strip(statement, l.flavor.namesQuoted, maxQuery)
}

// String says the view for people: for each server a line, and for each
// session what it does, whose it is, and whom it blocks.
func (v View) String() string {
	var b strings.Builder
	for i, s := range v.Servers {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(s.String())
	}
	return b.String()
}

// String says what one server sees.
func (s Server) String() string {
	var b strings.Builder
	b.WriteString(report.Clean("pool " + strings.Join(s.Pools, ", ")))
	if s.Kind != "" {
		fmt.Fprintf(&b, " on %s %s", s.Kind, report.Clean(shortVersion(s.Version)))
	}
	if s.Error != "" {
		fmt.Fprintf(&b, ": no view: %s\n", report.Clean(s.Error))
		return b.String()
	}
	fmt.Fprintf(&b, ": %d of %s in use, %s\n", s.InUse, words.Plural(s.Open, "connection"), s.headline())
	for _, x := range s.Sessions {
		x.write(&b)
	}
	if len(s.Orphans) > 0 {
		b.WriteString("  still there, though no open DB has them:\n")
	}
	for _, x := range s.Orphans {
		x.write(&b)
	}
	for _, n := range s.Notices {
		fmt.Fprintf(&b, "  not seen: %s\n", report.Clean(n.What))
		if n.Grant != "" {
			fmt.Fprintf(&b, "    to see it: %s\n", report.Clean(n.Grant))
		}
	}
	return b.String()
}

func (s Server) headline() string {
	var roots []string
	waiters := make(map[uint64]bool)
	for _, x := range s.RootBlockers() {
		roots = append(roots, strconv.FormatUint(x.ID, 10))
		for _, id := range x.Blocks {
			waiters[id] = true
		}
	}
	switch len(roots) {
	case 0:
		return "nobody waits for a lock"
	case 1:
		return fmt.Sprintf("%s for connection %s", waiting(len(waiters)), roots[0])
	}
	return fmt.Sprintf("%s for connections %s", waiting(len(waiters)), strings.Join(roots, ", "))
}

func waiting(n int) string {
	if n == 1 {
		return "1 session waits"
	}
	return fmt.Sprintf("%d sessions wait", n)
}

// shortVersion cuts "PostgreSQL 15.18 (Debian …) on x86_64…" to "15.18".
func shortVersion(v string) string {
	v, _, _ = strings.Cut(strings.TrimPrefix(v, "PostgreSQL "), " ")
	return v
}

// String says what the server sees of one session.
func (s Session) String() string {
	var b strings.Builder
	s.write(&b)
	return b.String()
}

func (s Session) write(b *strings.Builder) {
	fmt.Fprintf(b, "  connection %d (%s): %s\n", s.ID, report.Clean(s.whose()), report.Clean(s.what()))
	if waits := s.waits(); waits != "" {
		fmt.Fprintf(b, "    %s\n", report.Clean(waits))
	}
	if len(s.Blocks) > 0 {
		root := "blocks"
		if s.isRoot() {
			root = "root blocker of"
		}
		fmt.Fprintf(b, "    %s %d: %s\n", root, len(s.Blocks), ids(s.Blocks))
	}
	if s.Query != "" {
		fmt.Fprintf(b, "    sql: %s\n", report.Clean(s.Query))
	}
	if s.suspect() {
		fmt.Fprintf(b, "    to end it: %s\n", s.Kill)
	}
}

// suspect reports whether a person may want to end the session.
func (s Session) suspect() bool {
	if s.State == StateGone {
		return false
	}
	if s.isRoot() || s.Conn != nil && (s.Conn.PoolClosed || s.Conn.ClosedFor > 0) {
		return true
	}
	return s.Conn != nil && slices.ContainsFunc(s.Conn.Holders, func(h Holder) bool { return h.State >= tracker.StateOverdue })
}

func (s Session) whose() string {
	c := s.Conn
	switch {
	case c == nil:
		return strings.TrimSpace("not of this tracker's pools: user " + s.User + " " + strings.TrimSpace(s.Program+" "+s.Client))
	case c.ClosedFor > 0:
		return fmt.Sprintf("pool %s, closed by this process %s ago, last used by %s", c.Pool, words.Duration(c.ClosedFor), site(c.LastSite))
	}
	pool := "pool " + c.Pool
	if c.PoolClosed {
		pool += ", whose DB is closed"
	}
	if len(c.Holders) == 0 {
		return pool + ", idle in the pool"
	}
	for _, h := range c.Holders {
		pool += fmt.Sprintf(", %s of %s for %s", h.Kind, site(h.Site), words.Duration(h.Age))
		if h.State != tracker.StateOpen {
			pool += ", " + h.State.String()
		}
	}
	return pool
}

func site(f tracker.Frame) string { return report.Frame(f).Short() }

func (s Session) what() string {
	if s.State == StateGone {
		return "the server doesn't have it any more"
	}
	out := string(s.State)
	if s.State != StateHidden {
		out += " for " + words.Duration(s.InState)
	}
	if s.Detail != "" {
		out += " (" + s.Detail + ")"
	}
	if s.Tx {
		out += ", transaction open for " + words.Duration(s.TxAge)
	}
	if s.RowsLocked > 0 {
		out += ", " + words.Plural(int(s.RowsLocked), "row") + " locked"
	}
	if s.RowsModified > 0 {
		out += ", " + words.Plural(int(s.RowsModified), "row") + " modified"
	}
	return out
}

// waits says for whom it waits; the rest of the chain is the others' to say.
func (s Session) waits() string {
	if len(s.BlockedBy) == 0 {
		return ""
	}
	const most = 5
	var list []string
	for i, b := range s.BlockedBy {
		if i == most {
			list = append(list, fmt.Sprintf("%d more", len(s.BlockedBy)-most))
			break
		}
		by := strconv.FormatUint(b.By, 10)
		if b.By == 0 {
			by = "a prepared transaction (see pg_prepared_xacts)"
		}
		if b.Inferred {
			by += " (the only transaction that is old enough)"
		}
		list = append(list, by)
	}
	out := "blocked by " + strings.Join(list, ", ")
	if len(s.Roots) > 0 && (len(s.BlockedBy) > 1 || s.Roots[0] != s.BlockedBy[0].By) {
		out += "; in the end by " + ids(s.Roots)
	}
	return out
}

// ids lists the first of them.
func ids(list []uint64) string {
	const most = 10
	var out []string
	for i, id := range list {
		if i == most {
			return strings.Join(out, ", ") + ", …"
		}
		out = append(out, strconv.FormatUint(id, 10))
	}
	return strings.Join(out, ", ")
}
