package tracker

import "fmt"

// Kind is the kind of a handle: a thing that must be given back.
type Kind uint8

// The kinds. A KindSession is no handle: it is what a statement left behind on a
// connection that went back to the pool; see [SessionChecks]. A KindRow is the rows handle of a QueryRow that has not been
// scanned yet; it shares the threshold of KindRows.
const (
	KindDB Kind = iota
	KindConn
	KindTx
	KindRows
	KindRow
	KindStmt
	KindSession
)

var kindNames = [...]string{"db", "conn", "tx", "rows", "row", "stmt", "session"}

// String returns the kind's name in lower case, as every report writes it.
func (k Kind) String() string { return name(kindNames[:], uint8(k), "Kind") }

// MarshalText writes the kind's name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind's name.
func (k *Kind) UnmarshalText(text []byte) error {
	i, err := parseName(kindNames[:], text, "kind")
	*k = Kind(i)
	return err
}

// State says how sure a report is that a handle was lost.
type State uint8

// The states. Only StateLeaked is a verdict, and it always comes with a
// [Proof]; StateOverdue is a fact about time and says nothing about guilt.
const (
	// StateOpen is a handle in use, within its threshold.
	StateOpen State = iota
	// StateOverdue is a handle held longer than the threshold of its kind, or a
	// connection left dirty.
	StateOverdue
	// StateLeaked is a handle that is proven never to be given back.
	StateLeaked
	// StateRecovered is a handle that was given back after it had been
	// reported.
	StateRecovered
)

var stateNames = [...]string{"open", "overdue", "leaked", "recovered"}

// String returns the state's name in lower case, as every report writes it.
func (s State) String() string { return name(stateNames[:], uint8(s), "State") }

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(text []byte) error {
	i, err := parseName(stateNames[:], text, "state")
	*s = State(i)
	return err
}

// Proof says why a handle can't be given back any more.
type Proof string

// The proofs.
const (
	// ProofUnreachable: the garbage collector found that nothing in the
	// program can reach the handle, so nothing can close it.
	ProofUnreachable Proof = "unreachable"
	// ProofGoroutineLeak: the goroutine-leak profile of the runtime showed
	// that only goroutines that are blocked for ever reach the handle, so
	// nobody who can run closes it; see [(*Tracker).Prove].
	ProofGoroutineLeak Proof = "goroutine leak"
	// ProofAtExit: the tracker was closed while the handle was open.
	ProofAtExit Proof = "still open at exit"
	// ProofAtAssert: an assertion found the handle open.
	ProofAtAssert Proof = "still open at assert"
)

func name(names []string, i uint8, typ string) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", typ, i)
}

func parseName(names []string, text []byte, what string) (uint8, error) {
	for i, n := range names {
		if n == string(text) {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("tracker: unknown %s %q", what, text)
}
