package tracker

import (
	"database/sql"
	"time"
)

// Frame is one line of a call stack.
type Frame struct {
	Function string // with its import path, e.g. "example.com/shop.(*Store).Find"
	File     string // absolute path at build time, or as trimmed by -trimpath
	Line     int
}

// Finding is one root cause: the handles that one application line opened in
// one pool and that are in the same trouble. Handles inside a handle (rows in
// a transaction) are its Children, not findings of their own.
//
// It is an immutable value; it shares no memory that the tracker writes to.
type Finding struct {
	// ID names the root cause: the same line, kind and pool give the same
	// ID in every snapshot of a process and in every build of the same code.
	ID    string
	Kind  Kind
	State State
	Proof Proof  // set if State is StateLeaked
	Pool  string // the pool's name
	// Site is the application line that opened the handles: the first frame
	// that belongs neither to database/sql nor to a library on top of it.
	Site Frame
	// Stack is the call stack of the oldest handle, innermost frame first,
	// from the database/sql method that the application called.
	Stack []Frame
	// Query is the SQL text, without literals and cut to a few hundred
	// bytes; empty if the handle has none. It may still name tables.
	Query string
	// Reason says in words what is known beyond the state, e.g.
	// "idle for 41s, threshold 30s". Advice says what to do about it.
	Reason, Advice string
	// Held says for how long handles that were opened like this, and given
	// back, were held; Usual says it in words next to the threshold, e.g. "99.9 % of
	// rows from this line close within 48ms, the threshold is 30s". Empty for
	// statements and DBs, and where too few were given back to tell.
	Held  HeldTimes
	Usual string
	// OpenedAt and Age are those of the oldest handle. Age is measured on
	// the monotonic clock, so a stepped wall clock doesn't change it.
	OpenedAt time.Time
	Age      time.Duration
	// Median is the age that half of the handles are not younger than, and
	// LatestAt when the youngest was opened.
	Median   time.Duration
	LatestAt time.Time
	// FirstSeen is when the finding was first reported, and Change how many
	// handles more it has than a minute before; zero for what is merely open.
	FirstSeen time.Time
	Change    int
	// Threshold is how long the oldest handle may be held without activity; 0
	// means for ever.
	Threshold time.Duration
	// Count is the number of handles (of KindSession: of connections), Leaked
	// how many of them are proven.
	Count, Leaked int
	// Busy is the driver call that the oldest handle's connection is in now
	// ("query", "next", …), or empty. LongLived is the reason given to
	// [LongLived], or empty.
	Busy, LongLived string
	// Scope is the name of the scope that the oldest handle belongs to, or of
	// the test that it was opened in, or empty; see [(*Tracker).Scope] and
	// [Guard]. Labels are what the application calls it; see [WithLabels].
	Scope  string
	Labels []Label
	// Goroutine is the id of the goroutine that opened the oldest handle.
	Goroutine int64
	// Children are the handles that are open inside these, by site.
	Children []Child

	callers []callers // of a snapshot's finding with several call stacks
}

// Child is a group of handles of one kind and site inside the handles of a
// finding: they end when those end.
type Child struct {
	Kind  Kind
	Site  Frame
	Query string // as in Finding
	Count int
}

// Pool is one *sql.DB as the tracker sees it.
type Pool struct {
	ID     uint64 // unique in the process
	Name   string // from driverwrap.WithName, or made from driver and source
	Driver string // the registered name, or the driver's Go type
	Source string // the data source without secrets; may be empty
	Site   Frame  // where the DB was opened
	// OpenedAt is when the DB was opened; Closed tells that (*sql.DB).Close
	// was called while connections were in use that are not yet given back.
	OpenedAt time.Time
	Closed   bool
	// InUse and Idle count the physical connections as the driver sees them.
	InUse, Idle int
	// Open counts open handles by kind, those within others included; for
	// KindSession, connections in the pool that something was left behind on.
	Open map[Kind]int
	// Overdue and Leaked count handles in the snapshot's findings.
	Overdue, Leaked int
	// Stats is what database/sql itself counts; nil where the tracker never
	// saw the *sql.DB (registered drivers, WrapConnector).
	Stats *sql.DBStats
	// Exhausted is set if the pool is, as of its last sweep; it takes Stats.
	Exhausted *Exhaustion
	// Recent are the last ten minutes, the oldest first, without the times in
	// which nothing was in use.
	Recent []PoolSample
}

// Totals count handles since the tracker was made.
//
// They measure how often it cries wolf: of those that it reported and couldn't
// prove, Reported - Leaked, Recovered were given back later. That share is the
// most that can have been false alarms; some of them were held for too long all
// the same. What is neither is still open, or went with its connection. DBs
// don't count as recovered.
type Totals struct {
	Reported  uint64 // that were ever reported, as overdue or leaked
	Overdue   uint64 // that were ever reported overdue
	Leaked    uint64 // that were ever proven leaked
	Recovered uint64 // that were given back after they had been reported
}

// Snapshot is the state of a tracker at one moment. It is an immutable value.
type Snapshot struct {
	TakenAt time.Time
	Since   time.Time // when the tracker was made
	Pools   []Pool    // those that are exhausted first, then by name and ID
	// Findings are the handles that are overdue or leaked: leaked before
	// overdue, then more before fewer, then older before younger.
	Findings []Finding
	// Open are the handles in use within their thresholds, grouped the same
	// way. They are no cause for alarm.
	Open []Finding
	// Refusals are calls that a database refused, the latest trouble first; at
	// most 50, of which some may be over.
	Refusals []Refusal
	// Ended are findings that are over, the latest first; at most 100.
	Ended  []Ended
	Totals Totals
	// SiteTotals are those of the first 50 lines that were ever reported, in
	// that order. What others had is in Totals only.
	SiteTotals []SiteTotals
	// Thresholds are the ones in force, by kind; 0 means never overdue.
	Thresholds map[Kind]time.Duration
	// SiteThresholds go before those; of several that match, the last counts.
	SiteThresholds []SiteThreshold
	Beyond         Beyond
	LeakProfile    LeakProfile
	Overhead       Overhead
	// SelfTest is the last self-test that has ended; nil if none has.
	SelfTest *SelfTested
}

// Beyond counts what was past the limits that keep a tracker's memory bounded.
// All are zero in nearly every program.
type Beyond struct {
	// Stacks were captured while the table of stacks was full. The handles
	// are reported like others, but each keeps a stack of its own, and
	// statements and DBs opened there are not watched for growth.
	Stacks uint64
	// Statements were prepared on a connection that had 10,000 already. They
	// are not recorded.
	Statements uint64
	// Findings are in the snapshot, but observers were not told, as they were
	// told of 1,000 others that are not over.
	Findings int
}

// LeakProfile tells how the goroutine-leak profile of the runtime was used, by
// all trackers of the process; see [(*Tracker).Prove].
type LeakProfile struct {
	// Available is false where the runtime has no such profile: Go 1.26 built
	// without GOEXPERIMENT=goroutineleakprofile. Then nothing is ever leaked
	// with [ProofGoroutineLeak].
	Available bool
	Asked     uint64 // how often it was asked
	// At is when it was last asked, and Took how long that took; zero if
	// never.
	At   time.Time
	Took time.Duration
}

// Ended is a finding that is over: none of its handles is open any more.
type Ended struct {
	// Finding is as last reported; in StateRecovered if handles of it were given
	// back, or DBs closed.
	Finding Finding
	At      time.Time // when the last handle was seen to have ended
	// Held is the longest time that a handle was open that was given back.
	Held time.Duration
	// Count is how many reported handles were given back.
	Count int
	// Leaked is how many were proven leaked when it was last reported.
	Leaked int
	// Gone is how many reported handles were not seen to be given back: their
	// connection was closed, or a handle inside them was found to be the cause
	// and is a finding of its own. It is 0 for DBs.
	Gone int
}
