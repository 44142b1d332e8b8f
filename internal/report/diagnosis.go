package report

import (
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// Diagnosis says who holds connections, what these goroutines do, and who waits;
// see tracker.Diagnosis.
type Diagnosis struct {
	TakenAt    time.Time       `json:"taken_at"`
	Goroutines int             `json:"goroutines"`
	Missing    int             `json:"goroutines_missing,omitempty"`
	Pools      []DiagnosedPool `json:"pools"`
	Deadlocks  []Deadlock      `json:"deadlocks"`
	// ServerView is there if the program lets the servers be looked at.
	ServerView *ServerView `json:"server_view,omitempty"`
}

// DiagnosedPool is a pool of which connections are held.
type DiagnosedPool struct {
	Name string `json:"name"`
	ID   uint64 `json:"id"`
	// Limit and InUse are null where database/sql's own counts are not known; a
	// limit of 0 is none.
	Limit   *int            `json:"limit"`
	InUse   *int            `json:"in_use"`
	Waiting int             `json:"waiting"`
	Holders []DiagnosedLine `json:"holders"`
	Waiters []WaitingLine   `json:"waiters"`
	Advice  []string        `json:"advice,omitempty"`
}

// DiagnosedLine is a finding, or a group of open handles, that holds
// connections, with what the goroutines do now that opened them.
type DiagnosedLine struct {
	Finding
	Openers []Opener `json:"openers"`
	// Sessions are the servers' numbers of the connections, as far as they are
	// in the ServerView.
	Sessions []uint64 `json:"server_sessions,omitempty"`
}

// Opener is tracker.Opener.
type Opener struct {
	Goroutine      int64   `json:"goroutine"`
	Count          int     `json:"count"`
	State          string  `json:"state"`
	LongestSeconds float64 `json:"longest_seconds,omitempty"` // whole minutes
	At             Frame   `json:"at"`
	Stack          []Frame `json:"stack"`
	WaitsFor       string  `json:"waits_for,omitempty"`
	// Returned tells that the function that opened the handle is not on the
	// stack any more: the goroutine serves others now, or waits for work.
	Returned bool `json:"returned,omitempty"`
}

// WaitingLine is tracker.Waiter.
type WaitingLine struct {
	Goroutine      int64   `json:"goroutine"`
	Count          int     `json:"count"`
	LongestSeconds float64 `json:"longest_seconds,omitempty"` // whole minutes
	Site           Frame   `json:"site"`
	Stack          []Frame `json:"stack"`
}

// Deadlock is tracker.Deadlock.
type Deadlock struct {
	Pools   []string         `json:"pools"`
	Members []DeadlockMember `json:"members"`
	Others  int              `json:"others,omitempty"`
	// Doubt says why it is only suspected; else it is empty.
	Doubt  string `json:"doubt,omitempty"`
	Reason string `json:"reason"`
	Advice string `json:"advice"`
}

// DeadlockMember is tracker.DeadlockMember.
type DeadlockMember struct {
	Goroutine int64  `json:"goroutine"`
	Kind      string `json:"kind"`
	Holds     Frame  `json:"holds"`
	Pool      string `json:"pool"`
	Waits     Frame  `json:"waits"`
	WaitsFor  string `json:"waits_for"`
	Behind    int64  `json:"behind,omitempty"`
	BehindAt  Frame  `json:"behind_at,omitzero"`
	// Via is how it waits behind that goroutine: "group", "mutex", "iterator"
	// or "channel".
	Via string `json:"via,omitempty"`
}

// WithDiagnosis adds a diagnosis to a document. SQL text is left out of it
// where it is of the document.
func (d Document) WithDiagnosis(t tracker.Diagnosis) Document {
	b := builder{queries: !d.QueriesHidden}
	d.Diagnosis = &Diagnosis{
		TakenAt: t.TakenAt, Goroutines: t.Goroutines, Missing: t.Missing,
		Pools: Convert(t.Pools, b.diagnosedPool), Deadlocks: Convert(t.Deadlocks, deadlock),
	}
	return d
}

func (b builder) diagnosedPool(p tracker.PoolDiagnosis) DiagnosedPool {
	out := DiagnosedPool{
		Name: p.Pool, ID: p.PoolID, Waiting: p.Waiting, Advice: p.Advice,
		Holders: Convert(p.Holders, b.diagnosedLine), Waiters: Convert(p.Waiters, waitingLine),
	}
	if p.Known {
		out.Limit, out.InUse = &p.Limit, &p.InUse
	}
	return out
}

func (b builder) diagnosedLine(h tracker.Holder) DiagnosedLine {
	return DiagnosedLine{Finding: b.finding(h.Handles), Openers: Convert(h.Openers, opener)}
}

func waitingLine(w tracker.Waiter) WaitingLine {
	return WaitingLine{
		Goroutine: w.Goroutine, Count: w.Count, LongestSeconds: w.Longest.Seconds(),
		Site: Frame(w.Site), Stack: plainStack(w.Stack),
	}
}

func deadlock(d tracker.Deadlock) Deadlock {
	return Deadlock{
		Pools: d.Pools, Others: d.Others, Doubt: d.Doubt, Reason: d.Reason, Advice: d.Advice,
		Members: Convert(d.Members, func(m tracker.DeadlockMember) DeadlockMember {
			return DeadlockMember{
				Goroutine: m.Goroutine, Kind: m.Kind.String(), Holds: Frame(m.Holds), Pool: m.Pool,
				Waits: Frame(m.Waits), WaitsFor: m.WaitsFor, Behind: m.Behind, BehindAt: Frame(m.BehindAt), Via: string(m.Via),
			}
		}),
	}
}

func plainStack(frames []tracker.Frame) []Frame {
	return Convert(frames, func(f tracker.Frame) Frame { return Frame(f) })
}
