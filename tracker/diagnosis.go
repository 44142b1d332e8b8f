package tracker

import "time"

// Diagnosis says, of one moment, who holds the connections of each pool, what
// these goroutines are doing, who waits for a connection, and which of them
// wait for each other. It is an immutable value.
type Diagnosis struct {
	TakenAt time.Time
	// Goroutines is how many the process has, and Missing of how many of them
	// it isn't known what they do: there were too many, or this Go says it in
	// a way that isn't understood.
	Goroutines, Missing int
	// Pools have the most waiters first.
	Pools []PoolDiagnosis
	// Deadlocks are those that have not changed for three seconds, or more,
	// suspected ones included. A goroutine that is seen to go on is in none.
	Deadlocks []Deadlock
}

// PoolDiagnosis is the part of a [Diagnosis] about one pool.
type PoolDiagnosis struct {
	Pool   string // the pool's name
	PoolID uint64
	// Limit and InUse are those of sql.DBStats; Known is false, and both are
	// zero, where the tracker never saw the *sql.DB.
	Limit, InUse int
	Known        bool
	Holders      []Holder // the oldest first
	Waiters      []Waiter // the most first
	// Waiting counts the goroutines in Waiters.
	Waiting int
	// Advice is what to do, a line each, as far as that is sure.
	Advice []string
}

// Holder is what holds connections: the handles that one line opened.
type Holder struct {
	Handles Finding
	// Openers are the goroutines that opened the handles, by what they do now,
	// the most first; empty in an [Exhaustion] whose goroutines were not looked
	// at.
	Openers []Opener

	idle time.Duration // since one of the handles was used
}

// Opener is what goroutines do now that opened handles.
type Opener struct {
	Goroutine int64 // one of them
	Count     int
	// State is what they do, in the runtime's words, such as "chan receive"
	// or "IO wait"; "exited" if they have ended; "unknown" if it isn't known.
	State string
	// Longest is for how long one of them has been blocked, in whole minutes.
	Longest time.Duration
	// At is the application's innermost line; zero if there is none. Stack is
	// that of one of them, innermost frame first.
	At    Frame
	Stack []Frame
	// WaitsFor is the name of the pool that they wait for a connection of.
	WaitsFor string

	waits bool // by themselves, and not behind others
}

// Waiter is goroutines that wait for a connection at one line.
type Waiter struct {
	Goroutine int64 // the one that has waited for longest
	Count     int
	Longest   time.Duration // in whole minutes
	Site      Frame
	Stack     []Frame // innermost frame first
}

// Deadlock is goroutines each of which holds connections and waits for another,
// by itself or behind others, of pools whose connections all are held like that.
// It ends when the context of a wait does.
type Deadlock struct {
	Pools []string // by name
	// Members are by goroutine; at most 20 are listed, and Others counts the
	// rest.
	Members []DeadlockMember
	Others  int
	// Doubt says in which case it is none after all: it is suspected only. No
	// dump tells whether a goroutine that may go on has been handed what is held,
	// be it through a channel, a closure or a field. Empty if there is no such
	// goroutine.
	Doubt string
	// Reason says it in a sentence, with the doubt; Advice what would break it.
	Reason, Advice string
}

// Link is how a goroutine waits behind another one.
type Link string

// The links.
const (
	// LinkGroup: it has started it, and waits for it to end (sync.WaitGroup).
	LinkGroup Link = "group"
	// LinkMutex: it waits for a mutex that the other one seems to hold, being in
	// a method of the same object.
	LinkMutex Link = "mutex"
	// LinkIterator: one of them runs an iterator (iter.Pull), and the other one
	// takes its values.
	LinkIterator Link = "iterator"
	// LinkChannel: it has started it, and receives from a channel, which may be
	// the other's. That is always in doubt.
	LinkChannel Link = "channel"
)

// Headline is "deadlock", or "suspected deadlock" if there is a doubt.
func (d Deadlock) Headline() string {
	if d.Doubt != "" {
		return "suspected deadlock"
	}
	return "deadlock"
}

// DeadlockMember is a goroutine of a [Deadlock].
type DeadlockMember struct {
	Goroutine int64
	// Kind, Holds and Pool are of the handle that it has opened: what, on which
	// line, in which pool.
	Kind  Kind
	Holds Frame
	Pool  string
	// Waits is the line on which it waits for a connection of WaitsFor or, if
	// Behind is not 0, for that goroutine, which waits for the connection at
	// BehindAt. Via is how.
	Waits    Frame
	WaitsFor string
	Behind   int64
	BehindAt Frame
	Via      Link
}
