package tracker

import (
	"fmt"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/words"
)

// reason says in words what is known of the finding's oldest handle.
func reason(g *group, s State) string {
	v := g.views[0]
	switch {
	case g.kind == KindSession:
		return sessionReason(v)
	case g.lost > 0:
		return lostReason(g.firstLost())
	case g.series != nil:
		return fmt.Sprintf("growing: %s live from this line, none closed", series(g.series))
	case s == StateOverdue && v.Left:
		return "still open at the end of scope " + v.Scope
	case s == StateOverdue && v.Deserted && g.kind == KindConn:
		return fmt.Sprintf("its context has been over for %s, and nothing has used it for %s", words.Duration(v.ContextOver), words.Duration(v.Idle))
	case s == StateOverdue && v.Deserted:
		return fmt.Sprintf("its context has been over for %s, but something keeps database/sql from ending it", words.Duration(v.ContextOver))
	case s == StateOverdue && v.Idle > v.Threshold && v.Threshold > 0:
		return fmt.Sprintf("idle for %s, threshold %s", words.Duration(v.Idle), threshold(v.Limit))
	case s == StateOverdue:
		return fmt.Sprintf("in use for %v, longer than the maximum age", words.Duration(v.Age))
	case v.Busy != record.OpNone && v.Idle > 0:
		return fmt.Sprintf("in a driver call (%v) for at least %v", v.Busy, words.Duration(v.Idle))
	case v.Busy != record.OpNone:
		return fmt.Sprintf("in a driver call (%v)", v.Busy)
	case v.LongLived != "":
		return "long-lived: " + v.LongLived
	}
	return ""
}

// threshold says also why it isn't that of the kind.
func threshold(l record.Limit) string {
	d := words.Duration(l.Threshold)
	switch {
	case l.Context:
		return d + " of the context"
	case l.Site != nil:
		return fmt.Sprintf("%s of pattern %s", d, l.Site.Pattern)
	}
	return d
}

func lostReason(v *record.View) string {
	switch {
	case v.Stuck == nil:
		return "garbage collected before Close: nothing in the program can close it any more"
	case v.Stuck.Holder != "":
		return v.Stuck.Holder + ": nothing that can run reaches it any more"
	}
	return "dropped: nothing that can run reaches it any more"
}

func series(counts []int) string {
	out := make([]string, len(counts))
	for i, n := range counts {
		out[i] = fmt.Sprint(n)
	}
	return strings.Join(out, ", ")
}

// advice says what to do about a handle of the kind that was opened at site.
func advice(k Kind, site Frame, v *record.View) string {
	do := remedy(k, site, v)
	if v != nil && v.Left && (k == KindConn || k == KindStmt) {
		do += fmt.Sprintf("; the end of its scope doesn't close a %s, as it does rows and transactions", k)
	}
	return do
}

func remedy(k Kind, site Frame, v *record.View) string {
	if v != nil && v.Stuck != nil && v.Stuck.At != "" {
		return fmt.Sprintf("give what is waited for at %s a way to end, e.g. by a context", v.Stuck.At)
	}
	switch k {
	case KindSession:
		return sessionAdvice(v, site)
	case KindRows:
		return fmt.Sprintf("add `defer rows.Close()` right after the error check that follows line %d", site.Line)
	case KindRow:
		return fmt.Sprintf("call Scan on the result of QueryRow at line %d; only Scan gives the connection back", site.Line)
	case KindTx:
		return fmt.Sprintf("add `defer tx.Rollback()` right after the error check that follows line %d; after a Commit it does nothing", site.Line)
	case KindStmt:
		return fmt.Sprintf("add `defer stmt.Close()` after line %d, or prepare the statement once and keep it", site.Line)
	case KindDB:
		return fmt.Sprintf("open the DB of line %d once per process and share it, or Close it", site.Line)
	}
	if v != nil && v.Stack.Origin.Conn && v.Stack.Origin.Method != callstack.MethodConn {
		return fmt.Sprintf("add `defer conn.Close()` where the Conn that is first used at line %d was had", site.Line)
	}
	if v != nil && !v.Stack.Origin.Conn {
		return fmt.Sprintf("the call at line %d has not come back yet: look at what the database is doing", site.Line)
	}
	return fmt.Sprintf("add `defer conn.Close()` right after the error check that follows line %d", site.Line)
}
