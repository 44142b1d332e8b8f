// Package tracker keeps book of every open database/sql handle of a process,
// says which of them are overdue or leaked, and asserts in tests that none is
// left. Package driverwrap feeds it.
//
// Overdue is what had no activity for longer than a threshold: a fact. Leaked
// is what can't be given back any more, and takes a proof: of the garbage
// collector for rows that nothing refers to ([ProofUnreachable]), of the
// runtime's goroutine-leak profile for transactions, rows and DBs that nobody
// who can run reaches ([ProofGoroutineLeak], see [(*Tracker).Prove]), or of
// the end of the test or the program.
//
// A pool is exhausted ([Exhaustion]) when all connections that its limit allows
// are in use, none has come back for a second, and somebody waits. A [Refusal] is
// the same from the database's side: its errors say that something has run out.
// [(*Tracker).SelfTest] proves that a leak would be seen.
//
// What a statement leaves behind on a connection that goes back to its pool, such
// as a transaction that it began, is reported like a handle; see
// [SessionChecks].
//
// All functions and methods are safe for concurrent use.
package tracker

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Tracker records handles and judges them. Use [New] or [Default].
type Tracker struct {
	reg     *record.Registry
	cfg     atomic.Pointer[config]
	started time.Time

	// provedAt is when the goroutine-leak profile was last asked, in proofs;
	// zero if never.
	provedAt time.Time

	// dbsGrow is set while DBs keep growing in number that aren't all proven.
	dbsGrow atomic.Bool

	diagnosing diagnosing
	sweeps     sweepTimes
	selfTested atomic.Pointer[SelfTested]

	// emitting is held while observers are told, so that they are told one
	// event at a time and in order. It is taken before mu.
	emitting sync.Mutex

	mu     sync.Mutex // guards the rest
	active map[record.Key]*active
	growth growth
	ended  []Ended // the latest last
	totals Totals
	sites  siteTotals
	// episodes are of the pools that are exhausted, or were a moment ago.
	episodes map[*record.Pool]*episode
	refusals map[uint64]*refusing            // by the refusal's ID
	heldBack map[*record.Pool]time.Time      // since when; see holdsBack
	strays   map[*record.Scope][]record.View // what scopes of guarded tests left
}

// New makes a tracker. It returns an error that names every wrong option.
func New(opts ...Option) (*Tracker, error) {
	c, err := defaultConfig().with(opts)
	if err != nil {
		return nil, err
	}
	return newTracker(c), nil
}

func newTracker(c *config) *Tracker {
	t := &Tracker{
		started: time.Now(), active: make(map[record.Key]*active), strays: make(map[*record.Scope][]record.View),
		episodes: make(map[*record.Pool]*episode), refusals: make(map[uint64]*refusing),
		heldBack: make(map[*record.Pool]time.Time),
	}
	t.cfg.Store(c)
	t.reg = record.NewRegistry(t.sweep, func() time.Duration { return t.cfg.Load().interval() }, t.labels)
	c.apply(t.reg)
	return t
}

var defaultTracker = sync.OnceValue(func() *Tracker {
	c := defaultConfig()
	return newTracker(&c)
})

// Default returns the tracker of the process, which driverwrap uses unless it
// is given another.
func Default() *Tracker { return defaultTracker() }

// Configure changes the configuration at run time. Thresholds hold for
// handles that are open already; observers are added. On an error, which
// names every wrong option, nothing is changed.
func (t *Tracker) Configure(opts ...Option) error {
	for {
		old := t.cfg.Load()
		c, err := old.with(opts)
		if err != nil {
			return err
		}
		if t.cfg.CompareAndSwap(old, c) {
			c.apply(t.reg)
			return nil
		}
	}
}

// Recorder is for package driverwrap, which tells it what database/sql does.
// A nil Tracker gives a nil recorder, which records nothing.
func (t *Tracker) Recorder() *record.Registry {
	if t == nil {
		return nil
	}
	return t.reg
}

// Close stops recording for good and reports what was never given back: every
// open handle, every DB that was not closed, and the connections that closed
// DBs left in use. Wrapped drivers go on working, unrecorded.
func (t *Tracker) Close() Report {
	if t.inUse() {
		t.Prove()
	}
	r := t.leftovers(ProofAtExit, true, nil)
	t.reg.Stop()
	return r
}
