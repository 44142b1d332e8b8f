package tracker

import (
	"fmt"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// advice says what to do about it. p is the first pool that was refused.
func (r *Refusal) advice(p *record.Pool) string {
	switch r.What {
	case ResourceConnections:
		return r.connectionsAdvice(p)
	case ResourceStatements:
		return r.statementsAdvice()
	}
	return r.lockAdvice()
}

func (r *Refusal) connectionsAdvice(p *record.Pool) string {
	switch most := r.most(); {
	case most == nil:
		return "this process had none: look at who else is connected to the server"
	case most.Kind == KindDB && most.DBs >= minDBs:
		return remedy(KindDB, most.Site, nil)
	case r.DBs >= minDBs:
		return fmt.Sprintf("the connections are of %d DBs of one data source: open one per process and share it", r.DBs)
	}
	limit, unlimited := limits(p.Alike())
	switch {
	case unlimited != "":
		return fmt.Sprintf("pool %s has no limit: SetMaxOpenConns, to what the server has for this process", unlimited)
	case limit > r.InUse+r.Idle:
		return fmt.Sprintf("MaxOpenConns of these pools together is %d, and the server gave this process no more than %d: lower it, or raise the server's limit", limit, r.InUse+r.Idle)
	}
	return "look at who else is connected to the server, or raise its limit"
}

// limits adds up what the pools are allowed, as far as it is known, or names one
// that has no limit.
func limits(pools []*record.Pool) (sum int, unlimited string) {
	for _, p := range pools[:min(len(pools), minDBs)] { // no more are asked for
		switch stats, known := p.Stats(); {
		case !known || p.Closed():
		case stats.MaxOpenConnections == 0:
			return 0, p.Name
		default:
			sum += stats.MaxOpenConnections
		}
	}
	return sum, ""
}

func (r *Refusal) statementsAdvice() string {
	most := r.most()
	switch {
	case most == nil || most.Count < minStmts:
		return "look at which other programs keep statements on the server, or raise max_prepared_stmt_count"
	case most.Copies > most.Count/2:
		return fmt.Sprintf("statements of line %d are prepared anew on each connection: allow fewer connections (SetMaxOpenConns), or raise max_prepared_stmt_count", most.Site.Line)
	}
	return fmt.Sprintf("%s of line %d are open: %s", plural(most.Count, "statement", "statements"), most.Site.Line, remedy(KindStmt, most.Site, nil))
}

func (r *Refusal) lockAdvice() string {
	most := r.most()
	switch {
	case most == nil:
		return "another process has the database locked, or a DB that is not watched"
	case most.calling:
		return "calls of this process are in each other's way: let them wait for longer (busy_timeout), or write on one connection"
	case most.Kind == KindRows || most.Kind == KindRow:
		return fmt.Sprintf("rows of line %d were open: close them before others write, or set journal_mode=WAL, in which nobody waits for readers", most.Site.Line)
	}
	return fmt.Sprintf("what was begun at line %d was open: while it is, others may not be able to write", most.Site.Line)
}

// most is the line that held the most, or nil.
func (r *Refusal) most() *RefusalHolder {
	if len(r.Holders) == 0 {
		return nil
	}
	return &r.Holders[0]
}
