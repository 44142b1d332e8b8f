// Package report turns a snapshot of a tracker into what people and programs
// read: a versioned JSON document, and text made from that document.
//
// The HTML page, the JSON and text formats and the command line all show the
// same [Document], narrowed by the same [Filter].
package report

import "time"

// Schema names the form of the document. Within one version fields are only
// ever added; a reader ignores those that it doesn't know.
const Schema = "dbleaks/v1"

// Document is what one process holds at one moment.
type Document struct {
	Schema      string    `json:"schema"`
	GeneratedAt time.Time `json:"generated_at"`
	// Since is when the tracker was made: nothing older is known.
	Since   time.Time `json:"since"`
	Process Process   `json:"process"`
	// Filter is the filter in force as a query string; empty means all.
	Filter string `json:"filter,omitempty"`
	// QueriesHidden tells that SQL text was left out because the reader is
	// not allowed to see it.
	QueriesHidden bool    `json:"queries_hidden,omitempty"`
	Summary       Summary `json:"summary"`
	// Pools are in order of their names, those that are exhausted first.
	Pools []Pool `json:"pools"`
	// Findings are leaked or overdue; Open is no cause for alarm; Ended is
	// over, the latest first.
	Findings []Finding `json:"findings"`
	Open     []Finding `json:"open"`
	Ended    []Ended   `json:"ended"`
	// Refusals are calls that a database refused, the latest trouble first.
	Refusals []Refusal `json:"refusals,omitempty"`
	// Totals count since Since, whatever the filter.
	Totals Totals `json:"totals"`
	// Thresholds are in seconds, by kind; 0 means never overdue.
	Thresholds map[string]float64 `json:"thresholds_seconds"`
	// SiteThresholds go before those; of several that match, the last counts.
	SiteThresholds []SiteThreshold `json:"site_thresholds"`
	// Beyond counts what was past the limits of the tracker's memory.
	Beyond   Beyond   `json:"beyond_limits"`
	Overhead Overhead `json:"overhead"`
	// SelfTest is the last one; null if there was none.
	SelfTest *SelfTest `json:"self_test,omitempty"`
	// Diagnosis is there if it was asked for.
	Diagnosis *Diagnosis `json:"diagnosis,omitempty"`
	// NoLeakProfile tells that this Go has no goroutine-leak profile, without
	// which dropped transactions and DBs can't be proven.
	NoLeakProfile bool `json:"no_leak_profile,omitempty"`
}

// SiteThreshold is that of what is opened at the sites that match a pattern.
type SiteThreshold struct {
	Pattern string `json:"pattern"`
	// Seconds are 0 for never overdue.
	Seconds float64 `json:"threshold_seconds"`
}

// Beyond is that of package tracker.
type Beyond struct {
	Stacks     uint64 `json:"stacks"`
	Statements uint64 `json:"statements"`
	Findings   int    `json:"findings"`
}

// Process says which program the document is about.
type Process struct {
	Program   string `json:"program"`
	PID       int    `json:"pid"`
	GoVersion string `json:"go_version"`
	// Revision is that of the version control system, "+dirty" behind it if
	// the program was built from a modified tree; empty if not known.
	Revision string `json:"revision,omitempty"`
	// StartedAt is when this package was initialised.
	StartedAt time.Time `json:"started_at,omitzero"`
}

// Summary counts the handles that the document lists. Handles inside others
// are not counted, nor are DBs that are merely open: those are the pools.
type Summary struct {
	Open    int `json:"open"`
	Overdue int `json:"overdue"`
	Leaked  int `json:"leaked"`
}

// Frame is one line of a call stack.
type Frame struct {
	Function string `json:"function"`
	File     string `json:"file"`
	Line     int    `json:"line"`
}

// StackFrame is a frame of a finding's stack.
type StackFrame struct {
	Frame
	// Library tells that the frame is not the application's: database/sql
	// and what lies between it and the site, or the standard library.
	Library bool `json:"library,omitempty"`
}

// Finding is one root cause; see tracker.Finding, whose fields it has.
type Finding struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	State string `json:"state"`
	Proof string `json:"proof"` // empty unless leaked
	Pool  string `json:"pool"`
	Site  Frame  `json:"site"`
	Count int    `json:"count"`
	// Leaked is how many of Count are proven.
	Leaked int `json:"leaked"`
	// AgeSeconds and OpenedAt are those of the oldest handle.
	AgeSeconds float64   `json:"age_seconds"`
	OpenedAt   time.Time `json:"opened_at"`
	// LatestAt is when the youngest was opened.
	MedianSeconds float64   `json:"median_seconds"`
	LatestAt      time.Time `json:"latest_at,omitzero"`
	// FirstSeen is when it was first reported, and Change how many handles
	// more there are than a minute before; not set for what is merely open.
	FirstSeen time.Time `json:"first_seen,omitzero"`
	Change    int       `json:"change,omitempty"`
	// ThresholdSeconds is that of the oldest handle; 0 means never overdue.
	ThresholdSeconds float64 `json:"threshold_seconds,omitempty"`
	Reason           string  `json:"reason,omitempty"`
	Advice           string  `json:"advice,omitempty"`
	Usual            string  `json:"usual,omitempty"`
	Held             Held    `json:"held,omitzero"`
	Query            string  `json:"query,omitempty"`
	Busy             string  `json:"busy,omitempty"`
	LongLived        string  `json:"long_lived,omitempty"`
	Scope            string  `json:"scope,omitempty"`
	Labels           []Label `json:"labels,omitempty"`
	Goroutine        int64   `json:"goroutine,omitempty"`
	// Opener is what that goroutine does now, if somebody has looked.
	Opener   *Opener      `json:"opener,omitempty"`
	Children []Child      `json:"children,omitempty"`
	Stack    []StackFrame `json:"stack"`
}

// Held is tracker.HeldTimes: for how long handles like these were held that
// were given back.
type Held struct {
	Count   uint64       `json:"count"`
	Buckets []HeldBucket `json:"buckets"`
}

// HeldBucket counts times that are not longer.
type HeldBucket struct {
	UpToSeconds float64 `json:"up_to_seconds"` // 0 for the last one, without an end
	Count       uint64  `json:"count"`
}

// Label is a word of the application's about a finding's oldest handle.
type Label struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Child is a group of handles inside those of a finding.
type Child struct {
	Kind  string `json:"kind"`
	Site  Frame  `json:"site"`
	Query string `json:"query,omitempty"`
	Count int    `json:"count"`
}

// Pool is one *sql.DB; see tracker.Pool.
type Pool struct {
	ID       uint64    `json:"id"`
	Name     string    `json:"name"`
	Driver   string    `json:"driver"`
	Source   string    `json:"source,omitempty"` // without secrets
	Site     Frame     `json:"site"`
	OpenedAt time.Time `json:"opened_at"`
	// Closed tells that the DB was closed while connections were in use.
	Closed bool `json:"closed,omitempty"`
	// InUse and Idle count physical connections.
	InUse int `json:"in_use"`
	Idle  int `json:"idle"`
	// Open counts open handles by kind, those within others included.
	Open    map[string]int `json:"open"`
	Overdue int            `json:"overdue"`
	Leaked  int            `json:"leaked"`
	// Stats is what database/sql counts; null where that is not known.
	Stats *Stats `json:"stats"`
	// Exhausted is there if the pool is exhausted.
	Exhausted *Exhaustion `json:"exhausted,omitempty"`
	// Recent are the last ten minutes, the oldest first, without the times in
	// which nothing was in use.
	Recent []PoolSample `json:"recent,omitempty"`
}

// PoolSample is the most that was seen of a pool within ten seconds; see
// tracker.PoolSample.
type PoolSample struct {
	At     time.Time `json:"at"`
	InUse  int       `json:"in_use"`
	Alarms int       `json:"alarms"`
	Waits  int64     `json:"waits"`
}

// Exhaustion says that nothing came back to a full pool; see
// tracker.Exhaustion.
type Exhaustion struct {
	Limit   int       `json:"limit"`
	InUse   int       `json:"in_use"`
	Since   time.Time `json:"since"`
	Seconds float64   `json:"seconds"`
	// Waiting is how many calls, at least, have begun to wait and got no
	// connection. GaveUp tells that some of them wait no more.
	Waiting int    `json:"waiting"`
	GaveUp  bool   `json:"gave_up,omitempty"`
	Reason  string `json:"reason"`
	// Holders are the lines that hold the connections, the oldest first.
	// Others counts the handles of those that are not listed.
	Holders []Holder `json:"holders"`
	Others  int      `json:"others,omitempty"`
	// Growth says how that has come about in the last ten minutes.
	Growth string `json:"growth,omitempty"`
	// What openers do, Waiters and Deadlocks are as of AskedAt, when it was
	// last told.
	AskedAt   time.Time     `json:"asked_at,omitzero"`
	Waiters   []WaitingLine `json:"waiters,omitempty"`
	Deadlocks []Deadlock    `json:"deadlocks,omitempty"`
	Advice    []string      `json:"advice,omitempty"`
}

// Holder is a finding, or a group of open handles, that holds connections of an
// exhausted pool. Of the ID there is more in Findings or Open.
type Holder struct {
	ID         string  `json:"id"`
	Kind       string  `json:"kind"`
	State      string  `json:"state"`
	Site       Frame   `json:"site"`
	Count      int     `json:"count"`
	AgeSeconds float64 `json:"age_seconds"`
	Busy       string  `json:"busy,omitempty"`
	// Openers are the goroutines that opened the handles.
	Openers []Opener `json:"openers,omitempty"`
}

// Stats is the part of sql.DBStats that says how crowded a pool is.
type Stats struct {
	// MaxOpen is the limit of connections; 0 means none.
	MaxOpen int   `json:"max_open"`
	Waits   int64 `json:"waits"` // how often a caller had to wait, ever
	// WaitSeconds is how long they waited together.
	WaitSeconds float64 `json:"wait_seconds"`
}

// Totals count handles since the tracker was made; see tracker.Totals.
type Totals struct {
	Reported  uint64 `json:"reported"`
	Overdue   uint64 `json:"overdue"`
	Leaked    uint64 `json:"leaked"`
	Recovered uint64 `json:"recovered"`
}

// Ended is a finding that is over.
type Ended struct {
	Finding Finding   `json:"finding"`
	EndedAt time.Time `json:"ended_at"`
	// HeldSeconds is the longest time that one of its handles was open.
	HeldSeconds float64 `json:"held_seconds"`
	// Recovered counts the reported handles that were given back, Leaked those
	// that were proven leaked, and Gone those that were not seen to be given
	// back: most went with their connection.
	Recovered int `json:"recovered"`
	Leaked    int `json:"leaked,omitempty"`
	Gone      int `json:"gone,omitempty"`
}

// Overhead is what the tracker itself takes; see tracker.Overhead.
type Overhead struct {
	Connections     int       `json:"connections"`
	Handles         int       `json:"handles"`
	Stacks          int       `json:"stacks"`
	Bytes           uint64    `json:"bytes"`
	Sweeps          uint64    `json:"sweeps"`
	LastSweep       time.Time `json:"last_sweep,omitzero"`
	LastTookSeconds float64   `json:"last_took_seconds"` // to the microsecond
	TookSeconds     float64   `json:"took_seconds"`      // all together
	// LeakProfiles is how often the goroutine-leak profile was asked, by the
	// whole process, and LeakProfileSeconds how long that took last.
	LeakProfiles       uint64  `json:"leak_profiles"`
	LeakProfileSeconds float64 `json:"leak_profile_seconds"`
}

// SelfTest is the last self-test that has ended; see tracker.SelfTested.
type SelfTest struct {
	At          time.Time `json:"at"`
	Passed      bool      `json:"passed"`
	TookSeconds float64   `json:"took_seconds,omitempty"`
	Proof       string    `json:"proof,omitempty"`
	// Error is what a driver may have said, and so left out for those who may
	// not see SQL text.
	Error string `json:"error,omitempty"`
}
