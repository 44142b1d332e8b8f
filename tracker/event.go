package tracker

import "time"

// EventKind says what an [Event] reports.
type EventKind uint8

// The events of a finding, in the order in which they come. Each comes once,
// but EventOngoing, which repeats at doubling intervals.
const (
	// EventOverdue: handles of one site are held beyond their threshold, or a
	// statement left a connection dirty.
	EventOverdue EventKind = iota
	// EventLeaked: the first handle of the finding is proven leaked.
	EventLeaked
	// EventOngoing sums up a finding that is still there: after one minute,
	// then two, four, … at most one hour apart.
	EventOngoing
	// EventRecovered closes a finding: its handles were given back.
	EventRecovered
	// EventEnded closes a finding of which no handle was seen to be given
	// back: the pool closed their connection, or one inside them turned out
	// to be the cause and is a finding of its own.
	EventEnded
	// EventScopeEnd comes instead of EventOverdue: handles were open when
	// the scope ended that they belong to; see [(*Tracker).Scope].
	EventScopeEnd
	// EventExhausted and the next two are about a pool, not a finding: see
	// [Exhaustion]. This one comes once, EventExhaustedOngoing repeats like
	// EventOngoing, and EventExhaustedEnd comes when connections have come
	// back, or the DB was closed.
	EventExhausted
	EventExhaustedOngoing
	EventExhaustedEnd
	// EventRefused and the next two are about calls that a database refused:
	// see [Refusal]. This one comes once, EventRefusedOngoing like
	// EventOngoing, if there were more meanwhile, and EventRefusedEnd when none
	// was refused for a minute.
	EventRefused
	EventRefusedOngoing
	EventRefusedEnd
)

var eventNames = [...]string{
	"overdue", "leaked", "ongoing", "recovered", "ended", "scope_end",
	"exhausted", "exhausted_ongoing", "exhausted_end",
	"refused", "refused_ongoing", "refused_end",
}

// String returns the event's name in lower case.
func (k EventKind) String() string { return name(eventNames[:], uint8(k), "EventKind") }

// MarshalText writes the event's name.
func (k EventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Event is a change of one finding or, if Exhausted or Refused is set, of one
// pool.
type Event struct {
	Kind EventKind
	At   time.Time
	// Finding is empty if Exhausted or Refused is set, and only then: for the
	// kinds whose names begin with EventExhausted, or with EventRefused.
	Finding   Finding
	Exhausted *Exhaustion
	Refused   *Refusal
	// Since is when the finding, or what else it is about, was first reported.
	Since time.Time
	// Held is set for EventRecovered: the longest time that a handle of the
	// finding was open.
	Held time.Duration
	// Recovered counts the finding's handles that were given back after
	// they had been reported.
	Recovered int
}

// An Observer is told about the events of a tracker, one at a time, from a
// goroutine of the tracker and never from one that runs a query. A panic in
// it is swallowed.
type Observer interface {
	Observe(Event)
}

// ObserverFunc makes a function an [Observer].
type ObserverFunc func(Event)

// Observe calls f.
func (f ObserverFunc) Observe(e Event) { f(e) }
