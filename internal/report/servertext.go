package report

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/words"
)

// String says what one server sees, for people: a line for the server, and for
// each session what it does, whose it is, and whom it blocks. It holds no byte
// that a terminal acts on but line ends.
func (s Server) String() string {
	var b bytes.Buffer
	printable(reflect.ValueOf(s)).Interface().(Server).write(&b)
	return b.String()
}

func (s Server) write(b *bytes.Buffer) {
	b.WriteString(poolList(s.Pools))
	if s.Kind != "" {
		fmt.Fprintf(b, " on %s %s", s.Kind, shortVersion(s.Version))
	}
	if s.Error != "" {
		fmt.Fprintf(b, ": no view: %s\n", s.Error)
		return
	}
	fmt.Fprintf(b, ": %d of %s in use, %s\n", s.InUse, words.Plural(s.Open, "connection"), s.headline())
	for _, x := range s.Sessions {
		x.write(b)
	}
	if len(s.Orphans) > 0 {
		b.WriteString("  still there, though no open DB has them:\n")
	}
	for _, x := range s.Orphans {
		x.write(b)
	}
	for _, n := range s.Notices {
		fmt.Fprintf(b, "  not seen: %s\n", n.What)
		if n.Grant != "" {
			fmt.Fprintf(b, "    to see it: %s\n", n.Grant)
		}
	}
}

func poolList(names []string) string { return "pool " + strings.Join(names, ", ") }

func (s Server) headline() string {
	var roots []uint64
	waiters := make(map[uint64]bool)
	for _, x := range s.RootBlockers() {
		roots = append(roots, x.ID)
		for _, id := range x.Blocks {
			waiters[id] = true
		}
	}
	switch len(roots) {
	case 0:
		return "nobody waits for a lock"
	case 1:
		return fmt.Sprintf("%s for connection %d", waiting(len(waiters)), roots[0])
	}
	return fmt.Sprintf("%s for connections %s", waiting(len(waiters)), ids(roots))
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
	var b bytes.Buffer
	printable(reflect.ValueOf(s)).Interface().(Session).write(&b)
	return b.String()
}

func (s Session) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "  connection %d (%s): %s\n", s.ID, s.whose(), s.doing())
	if waits := s.waits(); waits != "" {
		fmt.Fprintf(b, "    %s\n", waits)
	}
	if len(s.Blocks) > 0 {
		root := "blocks"
		if s.isRoot() {
			root = "root blocker of"
		}
		fmt.Fprintf(b, "    %s %d: %s\n", root, len(s.Blocks), ids(s.Blocks))
	}
	if s.Query != "" {
		fmt.Fprintf(b, "    sql: %s\n", s.Query)
	}
	if s.suspect() {
		fmt.Fprintf(b, "    to end it: %s\n", s.Kill)
	}
}

// The states of a session that are told in other words than the server's.
const (
	sessionGone   = "gone"
	sessionHidden = "hidden from this account"
)

// suspect reports whether a person may want to end the session.
func (s Session) suspect() bool {
	if s.State == sessionGone {
		return false
	}
	if s.isRoot() || s.Conn != nil && (s.Conn.PoolClosed || s.Conn.ClosedForSeconds > 0) {
		return true
	}
	return s.Conn != nil && slices.ContainsFunc(s.Conn.Holders, func(h ServerHolder) bool { return h.State == "overdue" || h.State == "leaked" })
}

// stranger says whose the session of somebody else is.
func (s Session) stranger() string {
	return strings.TrimSpace("not of this tracker's pools: user " + s.User + " " + strings.TrimSpace(s.Program+" "+s.Client))
}

func (s Session) whose() string {
	c := s.Conn
	switch {
	case c == nil:
		return s.stranger()
	case c.ClosedForSeconds > 0:
		return fmt.Sprintf("pool %s, closed by this process %s ago, last used by %s", c.Pool, words.Duration(Seconds(c.ClosedForSeconds)), c.LastSite.Short())
	}
	pool := "pool " + c.Pool
	if c.PoolClosed {
		pool += ", whose DB is closed"
	}
	if len(c.Holders) == 0 {
		return pool + ", idle in the pool"
	}
	for _, h := range c.Holders {
		pool += fmt.Sprintf(", %s of %s for %s", h.Kind, h.Site.Short(), words.Duration(Seconds(h.AgeSeconds)))
		if h.State != "open" {
			pool += ", " + h.State
		}
	}
	return pool
}

// doing says what the session does.
func (s Session) doing() string {
	if s.State == sessionGone {
		return "the server doesn't have it any more"
	}
	out := s.State
	if s.State != sessionHidden {
		out += " for " + words.Duration(Seconds(s.InStateSeconds))
	}
	if s.Detail != "" {
		out += " (" + s.Detail + ")"
	}
	if s.Tx {
		out += ", transaction open for " + words.Duration(Seconds(s.TxAgeSeconds))
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

// briefs are what a table says of sessions, a line each; those about which there
// is nothing but that they are in the same state share one.
func briefs(sessions []Session) (out []string) {
	plain := make(map[string][]Session)
	var states []string
	for _, s := range sessions {
		if len(s.Blocks)+len(s.BlockedBy) > 0 {
			out = append(out, s.brief())
			continue
		}
		if plain[s.State] == nil {
			states = append(states, s.State)
		}
		plain[s.State] = append(plain[s.State], s)
	}
	for _, state := range states {
		all := plain[state]
		if len(all) == 1 {
			out = append(out, all[0].brief())
			continue
		}
		var numbers []uint64
		longest := 0.0
		for _, s := range all {
			numbers, longest = append(numbers, s.ID), max(longest, s.InStateSeconds)
		}
		out = append(out, fmt.Sprintf("%s: %s, the longest for %s", ids(numbers), state, words.Duration(Seconds(longest))))
	}
	return out
}

// brief is what a table says of the session.
func (s Session) brief() string {
	out := fmt.Sprintf("%d: %s", s.ID, s.State)
	if s.State != sessionGone && s.State != sessionHidden {
		out += " for " + words.Duration(Seconds(s.InStateSeconds))
	}
	switch {
	case s.isRoot():
		out += fmt.Sprintf(", root blocker of %d", len(s.Blocks))
	case len(s.Blocks) > 0:
		out += fmt.Sprintf(", blocks %d", len(s.Blocks))
	}
	if len(s.Roots) > 0 {
		out += ", because of " + ids(s.Roots)
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
