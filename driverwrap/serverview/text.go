package serverview

import (
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/sqltext"
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
	servers := make([]string, len(v.Servers))
	for i, s := range v.Servers {
		servers[i] = s.String()
	}
	return strings.Join(servers, "\n")
}

// String says what one server sees.
func (s Server) String() string { return s.report().String() }

// String says what the server sees of one session.
func (s Session) String() string { return s.report().String() }
