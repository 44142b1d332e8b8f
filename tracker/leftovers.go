package tracker

import (
	"fmt"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/words"
)

// Report says what was not given back, at exit or when an assertion was made.
// The zero Report is empty. It is an immutable value.
type Report struct {
	At       time.Time
	Findings []Finding // in StateLeaked, but for KindSession; sorted as in a Snapshot
}

// Empty reports whether everything was given back.
func (r Report) Empty() bool { return len(r.Findings) == 0 }

// leftovers describes everything that is open, DBs only if asked for, except
// what is held on purpose, what ignore says, and what may have been closed.
func (t *Tracker) leftovers(proof Proof, dbs bool, ignore func(record.ID) bool) Report {
	cfg := t.cfg.Load()
	var left []record.View
	closed := make(map[*record.Pool]bool)
	for _, p := range t.reg.Pools() {
		views, _ := p.Look(cfg.policy, true)
		closed[p] = p.Closed()
		var db *record.View
		if dbs && !closed[p] && (ignore == nil || !ignore(record.PoolID(p))) {
			v := dbView(p)
			db = &v
		}
		for _, v := range withoutCopies(views) {
			switch {
			case v.LongLived != "" && !v.Lost, ignore != nil && ignore(v.ID):
			case v.Deferred:
				// What holds its connection is left; whether it is closed
				// will be seen when that is given back.
			case db != nil && v.Kind == record.KindStmt:
				// Closing the DB closes its idle connections with their
				// statements.
				db.Children = append(db.Children, record.ChildView{Kind: v.Kind, Stack: v.Stack, Query: v.Query})
			default:
				left = append(left, v)
			}
		}
		if db != nil {
			left = append(left, *db)
		}
	}
	return cfg.report(left, proof, func(p *record.Pool) bool { return closed[p] })
}

// report makes the report of what is left.
func (c *config) report(left []record.View, proof Proof, closed func(*record.Pool) bool) Report {
	r := Report{At: time.Now()}
	for _, g := range c.groupViews(left) {
		f := c.finding(g)
		switch {
		case f.Kind == KindSession:
			f.State = StateOverdue // nobody lost anything for good
		case f.State != StateLeaked:
			f.State, f.Proof, f.Leaked = StateLeaked, proof, f.Count
			f.Reason = leftoverReason(g.views[0], closed(g.views[0].Pool))
		}
		r.Findings = append(r.Findings, f)
	}
	sortFindings(r.Findings)
	return r
}

func leftoverReason(v *record.View, dbClosed bool) string {
	switch {
	case v.Kind == record.KindDB:
		return "the DB was never closed"
	case dbClosed:
		return "its DB was closed while it was in use; that closes idle connections only"
	case v.Busy != record.OpNone:
		return fmt.Sprintf("in a driver call (%v)", v.Busy)
	}
	return "idle for " + words.Duration(v.Idle)
}

// withoutCopies drops the statements that database/sql prepared again on
// other connections, where the one that the application prepared is there, or
// another copy of it.
func withoutCopies(views []record.View) []record.View {
	known := make(map[string]bool)
	for _, v := range views {
		if v.Kind == record.KindStmt && !v.Copy {
			known[v.Query] = true
		}
	}
	var out []record.View
	for _, v := range views {
		if v.Copy {
			if known[v.Query] {
				continue
			}
			known[v.Query] = true
		}
		out = append(out, v)
	}
	return out
}
