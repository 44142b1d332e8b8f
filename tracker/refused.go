package tracker

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/servererr"
	"github.com/dbleaks-go/dbleaks/internal/words"
)

// Resource is what a database has a limit of.
type Resource uint8

// The resources whose end is told from the database's errors, which are passed on
// as they are.
const (
	// ResourceConnections: MySQL's errors 1040, 1203 and, of max_user_connections,
	// 1226; PostgreSQL's SQLSTATE 53300.
	ResourceConnections Resource = iota
	// ResourceStatements: MySQL's error 1461.
	ResourceStatements
	// ResourceLock: SQLite's result code 5, busy.
	ResourceLock
)

var resourceNames = [...]string{"connections", "statements", "lock"}

// String returns the resource's name in lower case.
func (r Resource) String() string { return name(resourceNames[:], uint8(r), "Resource") }

// MarshalText writes the resource's name.
func (r Resource) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

var resources = [...]Resource{
	servererr.Connections: ResourceConnections,
	servererr.Statements:  ResourceStatements,
	servererr.Locks:       ResourceLock,
}

// Refusal says that a database refused calls because something had run out, as
// its errors say, and what this process held of it. It is about all pools of one
// name and data source: a program that opens a DB for each request has many. It
// is an immutable value.
type Refusal struct {
	Pool   string // the name of the pools
	PoolID uint64 // of the first whose call was refused
	What   Resource
	// Code is the database's own: "MySQL 1040", "SQLSTATE 53300".
	Code string
	// Count is how many calls were refused, from First to Last. Over is set
	// when none was for a minute; the next one is another Refusal.
	Count       uint64
	First, Last time.Time
	Over        bool
	// DBs, InUse and Idle are the DBs of the same data source that had
	// connections, and these connections, when it was last looked at: as one of
	// the calls was refused, at most once a second.
	DBs, InUse, Idle int
	// Holders are what these DBs held then: of ResourceConnections the
	// connections, of ResourceStatements the statements, of ResourceLock what
	// was open on other connections than the one that was refused. The most
	// come first, calls under way last. At most 5 lines are listed; Others
	// counts what further ones held.
	Holders []RefusalHolder
	Others  int
	// Reason says all of this but for the holders in words, and Advice what to
	// do about it, if that is known.
	Reason, Advice string
}

// RefusalHolder is what one line held when a call was refused.
type RefusalHolder struct {
	// Kind is what the line has opened: for KindDB, Count is of the idle
	// connections of so many DBs; for KindStmt, Copies of the statements were
	// prepared by database/sql, on further connections.
	Kind        Kind
	Site        Frame
	Count       int
	DBs, Copies int
	Oldest      time.Duration // the age of the oldest
	Busy        string        // the driver call that the oldest was in, or empty

	calling bool // what is held ends with the call
}

// refusing is a refusal that observers have heard of.
type refusing struct {
	count uint64
	since time.Time
	summaries
}

// refused tells of the refusals that p's sweeps look after.
func (t *Tracker) refused(cfg *config, p *record.Pool, now time.Time) (events []Event) {
	for _, r := range p.Refusals() {
		told := cfg.refusal(r)
		t.mu.Lock()
		e := t.refusals[r.ID]
		switch {
		case e == nil:
			e = &refusing{since: now, summaries: newSummaries(now)}
			t.refusals[r.ID] = e
			events = append(events, e.event(EventRefused, told, now))
		case r.Over:
			delete(t.refusals, r.ID)
			t.reg.RefusalEnded(r.ID)
			events = append(events, e.event(EventRefusedEnd, told, now))
		case now.After(e.summaryAt) && r.Count > e.count:
			e.summedUp(now)
			events = append(events, e.event(EventRefusedOngoing, told, now))
		}
		t.mu.Unlock()
	}
	return events
}

func (e *refusing) event(k EventKind, r Refusal, now time.Time) Event {
	e.count = r.Count
	return Event{Kind: k, At: now, Since: e.since, Refused: &r}
}

func (c *config) refusals(all []record.Refusal) []Refusal {
	out := make([]Refusal, len(all))
	for i, r := range all {
		out[i] = c.refusal(r)
	}
	return out
}

// refusal makes the value that is reported.
func (c *config) refusal(r record.Refusal) Refusal {
	out := Refusal{
		Pool: r.Pool.Name, PoolID: r.Pool.ID, What: resources[r.What], Code: r.Code, Count: r.Count,
		First: r.Pool.Wall.Add(r.First), Last: r.Pool.Wall.Add(r.Last), Over: r.Over,
		DBs: r.Held.Pools, InUse: r.Held.InUse, Idle: r.Held.Idle, Others: r.Held.Others,
	}
	all := c.refusalHolders(r.Held.Holdings)
	for _, h := range all[min(len(all), maxHolders):] {
		out.Others += h.Count
	}
	out.Holders = all[:min(len(all), maxHolders)]
	out.Reason = out.reason()
	out.Advice = out.advice(r.Pool)
	return out
}

// refusalHolders puts together what is of one line.
func (c *config) refusalHolders(holdings []record.Holding) (out []RefusalHolder) {
	type line struct {
		kind    Kind
		site    Frame
		calling bool
	}
	index := make(map[line]int)
	for _, h := range holdings {
		k := line{kindOf(h.Kind, h.Stack), frame(h.Stack.Locate(c.libraries).Site), h.Calling}
		i, known := index[k]
		if !known {
			i = len(out)
			index[k] = i
			out = append(out, RefusalHolder{Kind: k.kind, Site: k.site, calling: k.calling})
		}
		o := &out[i]
		o.Count += h.Count
		o.DBs += h.Pools
		o.Copies += h.Copies
		if h.Age >= o.Oldest {
			o.Oldest, o.Busy = h.Age, h.Busy.String()
		}
	}
	slices.SortStableFunc(out, func(a, b RefusalHolder) int {
		switch {
		case a.calling && !b.calling:
			return 1
		case b.calling && !a.calling:
			return -1
		}
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(b.Oldest, a.Oldest))
	})
	return out
}

func (r *Refusal) reason() string {
	said := "once"
	if r.Count > 1 {
		said = fmt.Sprintf("%d times in %s", r.Count, words.Duration(r.Last.Sub(r.First)))
	}
	held := r.Others
	for _, h := range r.Holders {
		held += h.Count
	}
	switch r.What {
	case ResourceConnections:
		return fmt.Sprintf("%s, the server had too many connections (%s); this process had %d then, %d in use and %d idle, of %s",
			said, r.Code, r.InUse+r.Idle, r.InUse, r.Idle, words.Plural(r.DBs, "DB"))
	case ResourceStatements:
		return fmt.Sprintf("%s, the server had too many prepared statements (%s); this process had %d then, on %s",
			said, r.Code, held, words.Plural(r.InUse+r.Idle, "connection"))
	}
	return fmt.Sprintf("%s, the database was locked (%s); this process had %s open then, on other connections",
		said, r.Code, words.Plural(held, "handle"))
}
