package serverview

import (
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// View is what the servers of a tracker's pools see, at one moment. It is a
// plain value, which encoding/json writes as well as String does.
type View struct {
	TakenAt time.Time `json:"taken_at"`
	Servers []Server  `json:"servers"`
}

// Server is one server as one data source shows it.
type Server struct {
	Pools []string `json:"pools"` // their names, each once
	// Kind is "MariaDB", "MySQL" or "PostgreSQL", and Version what the server
	// says; empty if it could not be asked.
	Kind    string        `json:"kind,omitempty"`
	Version string        `json:"version,omitempty"`
	Took    time.Duration `json:"took_ns"`
	// Error says why there is nothing to see; else it is empty.
	Error string `json:"error,omitempty"`
	// Open and InUse count the pools' connections that have numbers.
	Open  int `json:"open"`
	InUse int `json:"in_use"`
	// Sessions are the pools' connections that are in use, those that are
	// idle in the pool but not to the server, and whoever blocks one of these
	// or waits for it: root blockers first, those with more waiters before
	// others, then the longest in their state.
	Sessions []Session `json:"sessions"`
	// Orphans are connections of this process that are still there though no
	// open DB has them.
	Orphans []Session `json:"orphans"`
	Notices []Notice  `json:"notices"`
}

// Notice is something that could not be seen.
type Notice struct {
	What string `json:"what"`
	// Grant is the statement, for an administrator, that would change it;
	// empty if none would.
	Grant string `json:"grant,omitempty"`
}

// State is what a session does, in words that all servers share.
type State string

// The states.
const (
	StateActive  State = "active"
	StateIdle    State = "idle"
	StateIdleTx  State = "idle in transaction"
	StateFailed  State = "idle in failed transaction"
	StateWaiting State = "waiting for a lock"
	StateHidden  State = "hidden from this account"
	// StateGone is of a connection in use that the server doesn't have (any
	// more): whoever uses it next gets an error.
	StateGone State = "gone"
)

// Session is a connection as the server sees it.
type Session struct {
	ID       uint64 `json:"id"`
	User     string `json:"user"`
	Client   string `json:"client,omitempty"` // address and port; empty for a socket
	Program  string `json:"program,omitempty"`
	Database string `json:"database,omitempty"`
	State    State  `json:"state"`
	// Detail is the server's own word about the state, such as "Writing to
	// net" or "Lock: transactionid".
	Detail  string        `json:"detail,omitempty"`
	InState time.Duration `json:"in_state_ns"`
	// Tx tells that a transaction is open, and TxAge since when. Rows are
	// counted by MariaDB and MySQL only.
	Tx           bool          `json:"tx"`
	TxAge        time.Duration `json:"tx_age_ns,omitempty"`
	RowsLocked   uint64        `json:"rows_locked,omitempty"`
	RowsModified uint64        `json:"rows_modified,omitempty"`
	// Query is the statement that runs or, where the server tells, ran last:
	// without literals, cut to 300 bytes, and only with [WithSQL].
	Query string `json:"query,omitempty"`

	// BlockedBy are those whom it waits for, directly. Roots are at the far
	// end of such waits: sessions that wait for nobody, and so are the cause.
	BlockedBy []Block  `json:"blocked_by,omitempty"`
	Roots     []uint64 `json:"roots,omitempty"`
	// Blocks are the sessions that wait for it, directly or through others.
	Blocks []uint64 `json:"blocks,omitempty"`
	// Kill is the statement that ends the session.
	Kill string `json:"kill"`

	// Conn is what this process knows of the connection; nil if it isn't one
	// of its own.
	Conn *Conn `json:"conn,omitempty"`
}

// Block is one edge of a wait.
type Block struct {
	By   uint64 `json:"by"` // 0 for a prepared transaction, which has no session
	Lock string `json:"lock"`
	// Inferred tells that the server didn't name the blocker: all
	// transactions old enough to be it lead to this session.
	Inferred bool `json:"inferred,omitempty"`
}

// Conn is the application's side of a session.
type Conn struct {
	Pool       string `json:"pool"`
	PoolClosed bool   `json:"pool_closed,omitempty"` // (*sql.DB).Close was called
	// Holders are what the connection is in use by, usually one; empty if it
	// is idle in its pool, or closed.
	Holders []Holder `json:"holders,omitempty"`
	// ClosedFor is how long ago this process closed the connection; 0 if it
	// didn't. LastSite is the line that had used it.
	ClosedFor time.Duration `json:"closed_for_ns,omitempty"`
	LastSite  tracker.Frame `json:"last_site,omitzero"`
}

// Holder is what has a connection in use, in short.
type Holder struct {
	Finding string        `json:"finding"` // the ID of its [tracker.Finding]
	Kind    tracker.Kind  `json:"kind"`
	State   tracker.State `json:"state"`
	Site    tracker.Frame `json:"site"`
	Age     time.Duration `json:"age_ns"`
	// Reason is what the tracker knows of it, in words; often empty.
	Reason string `json:"reason,omitempty"`
}

// RootBlockers are the sessions that others wait for and that wait for nobody.
func (s Server) RootBlockers() (out []Session) {
	for _, x := range slices.Concat(s.Sessions, s.Orphans) {
		if x.isRoot() {
			out = append(out, x)
		}
	}
	return out
}

func (s Session) isRoot() bool { return len(s.Blocks) > 0 && len(s.BlockedBy) == 0 }
