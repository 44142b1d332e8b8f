package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/words"
)

// ServerView is what the database servers see of the pools' connections; see
// serverview.View.
type ServerView struct {
	TakenAt time.Time `json:"taken_at"`
	Servers []Server  `json:"servers"`
	// Error says why there is none; else it is empty.
	Error string `json:"error,omitempty"`
}

// Server is serverview.Server.
type Server struct {
	Pools       []string  `json:"pools"`
	Kind        string    `json:"kind,omitempty"`
	Version     string    `json:"version,omitempty"`
	TookSeconds float64   `json:"took_seconds"`
	Error       string    `json:"error,omitempty"`
	Open        int       `json:"open"`
	InUse       int       `json:"in_use"`
	Sessions    []Session `json:"sessions"`
	Orphans     []Session `json:"orphans"`
	Notices     []Notice  `json:"notices"`
}

// Notice is something that could not be seen, and the grant that would change
// it.
type Notice struct {
	What  string `json:"what"`
	Grant string `json:"grant,omitempty"`
}

// Session is serverview.Session: a connection as the server sees it.
type Session struct {
	ID             uint64      `json:"id"`
	User           string      `json:"user"`
	Client         string      `json:"client,omitempty"`
	Program        string      `json:"program,omitempty"`
	Database       string      `json:"database,omitempty"`
	State          string      `json:"state"`
	Detail         string      `json:"detail,omitempty"`
	InStateSeconds float64     `json:"in_state_seconds"`
	Tx             bool        `json:"tx"`
	TxAgeSeconds   float64     `json:"tx_age_seconds,omitempty"`
	RowsLocked     uint64      `json:"rows_locked,omitempty"`
	RowsModified   uint64      `json:"rows_modified,omitempty"`
	Query          string      `json:"query,omitempty"`
	BlockedBy      []Block     `json:"blocked_by,omitempty"`
	Roots          []uint64    `json:"roots,omitempty"`
	Blocks         []uint64    `json:"blocks,omitempty"`
	Kill           string      `json:"kill"`
	Conn           *ServerConn `json:"conn,omitempty"`
}

// Block is one edge of a wait.
type Block struct {
	By       uint64 `json:"by"` // 0 for a prepared transaction, which has no session
	Lock     string `json:"lock"`
	Inferred bool   `json:"inferred,omitempty"`
}

// ServerConn is what the process knows of a session's connection.
type ServerConn struct {
	Pool             string         `json:"pool"`
	PoolClosed       bool           `json:"pool_closed,omitempty"`
	Holders          []ServerHolder `json:"holders,omitempty"`
	ClosedForSeconds float64        `json:"closed_for_seconds,omitempty"`
	LastSite         Frame          `json:"last_site,omitzero"`
}

// ServerHolder is what has the connection in use.
type ServerHolder struct {
	Finding    string  `json:"finding"`
	Kind       string  `json:"kind"`
	State      string  `json:"state"`
	Site       Frame   `json:"site"`
	AgeSeconds float64 `json:"age_seconds"`
	Reason     string  `json:"reason,omitempty"`
}

// WithServerView adds what the servers see to a document's diagnosis, and to its
// holders the numbers of their sessions. SQL text is left out of it where it is
// of the document.
func (d Document) WithServerView(v ServerView) Document {
	v = v.share(!d.QueriesHidden)
	x := *d.Diagnosis
	x.ServerView = &v
	x.Pools = slices.Clone(x.Pools)
	for i := range x.Pools {
		p := &x.Pools[i]
		p.Holders = slices.Clone(p.Holders)
		for j := range p.Holders {
			for _, s := range v.held(p.Name, p.Holders[j].ID) {
				p.Holders[j].Sessions = append(p.Holders[j].Sessions, s.ID)
			}
		}
	}
	d.Diagnosis = &x
	return d
}

// share copies the view, with or without statements.
func (v ServerView) share(queries bool) ServerView {
	copied := func(s Session) Session {
		s.Query = builder{queries}.query(s.Query)
		return s
	}
	v.Servers = Convert(v.Servers, func(s Server) Server {
		s.Sessions, s.Orphans = Convert(s.Sessions, copied), Convert(s.Orphans, copied)
		return s
	})
	return v
}

// held are the sessions of a pool that a finding's handles have.
func (v ServerView) held(pool, finding string) (out []Session) {
	for _, s := range v.Servers {
		for _, x := range slices.Concat(s.Sessions, s.Orphans) {
			if x.Conn != nil && x.Conn.Pool == pool && slices.ContainsFunc(x.Conn.Holders, func(h ServerHolder) bool { return h.Finding == finding }) {
				out = append(out, x)
			}
		}
	}
	return out
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

// verdict says what is the matter in the servers: whom the others wait for, and
// which connections nobody gives back.
func (v ServerView) verdict() (out []string) {
	for _, s := range v.Servers {
		for _, root := range s.RootBlockers() {
			out = append(out, root.verdict())
		}
		if n := len(s.Orphans); n > 0 {
			out = append(out, fmt.Sprintf("The server still has %s of this process that no open DB has; see below.", words.Plural(n, "connection")))
		}
	}
	return out
}

// verdict says of a root blocker who has it. What ends the session stands last,
// to be copied.
func (s Session) verdict() string {
	whose := fmt.Sprintf("which no pool of this program has (user %s)", strings.TrimSpace(s.User+" "+s.Program))
	if c := s.Conn; c != nil {
		whose = "of pool " + c.Pool
		if len(c.Holders) > 0 {
			h := c.Holders[0]
			whose = fmt.Sprintf("held by the %s opened at %s %s ago", h.Kind, h.Site.Short(), words.Duration(Seconds(h.AgeSeconds)))
		}
	}
	return fmt.Sprintf("In the server, %s for connection %d, %s; it is %s. To end it: %s", waiting(len(s.Blocks)), s.ID, whose, s.doing(), s.Kill)
}

// unseen says which servers could not be asked.
func (v ServerView) unseen() (out []string) {
	if v.Error != "" {
		out = append(out, fmt.Sprintf("What the database's server sees isn't known: %s.", v.Error))
	}
	for _, s := range v.Servers {
		if s.Error != "" {
			out = append(out, fmt.Sprintf("What the server of %s sees isn't known: %s.", poolList(s.Pools), s.Error))
		}
	}
	return out
}
