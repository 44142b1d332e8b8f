package tracker

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/goroutines"
	"github.com/dbleaks-go/dbleaks/internal/reach"
	"github.com/dbleaks-go/dbleaks/internal/record"
)

// DefaultProofInterval is the shortest time between two looks at the
// goroutine-leak profile that nobody asked for.
const DefaultProofInterval = time.Minute

const (
	// proofShare is the part of the time that such looks may take: one in so
	// many.
	proofShare = 1000
	// maxSuspects bounds the handles that one look is about. The oldest come
	// first, and what is proven makes place for others.
	maxSuspects = 1000
)

// proofs is the state of the goroutine-leak profile, which is the process's.
var proofs struct {
	// running is held while the profile is asked. It is taken before mu.
	running sync.Mutex

	mu    sync.Mutex // guards the rest
	asked uint64
	at    time.Time // when it was last asked
	took  time.Duration
}

// Prove asks the runtime now which of the open transactions, rows and DBs can
// be given back by nobody any more, and takes these for leaked from then on.
// The runtime's goroutine-leak profile tells which goroutines can still run;
// a handle is leaked if none of them reaches it. So a handle that is dropped
// is proven though database/sql waits for the end of its context, and so is
// one that is held by a goroutine that is blocked for ever.
//
// What is live is never taken for leaked: a handle that some goroutine will
// come back to, be it asleep or waiting for a channel, a lock, the database or
// the network, or that a global, a timer, a finalizer or a context that may
// end leads to.
//
// The profile doesn't know of weak pointers, nor of pointers that are hidden
// from the garbage collector: what the program has no other way to counts as
// dropped. Beware that the runtime (Go 1.26 and 1.27) throws if a goroutine is
// woken that was blocked, as far as the profile could see, for ever.
//
// It takes two garbage collections, and more time the more goroutines there
// are. Nobody has to call it: a tracker does so when something is overdue, as
// often as [WithProofInterval] allows; assertions do, and [(*Tracker).Close].
//
// Prove returns false, having done nothing, if the runtime has no such profile
// ([LeakProfile]), or in a bubble of testing/synctest, where the profile is
// blind.
func (t *Tracker) Prove() bool {
	if !reach.Available() || reach.Bubbled() {
		return false
	}
	proofs.running.Lock()
	defer proofs.running.Unlock()
	return t.prove()
}

// proveInTime is Prove if it is time for it.
func (t *Tracker) proveInTime(cfg *config) bool {
	if cfg.proofs == 0 || !reach.Available() || reach.Bubbled() || !proofs.running.TryLock() {
		return false
	}
	defer proofs.running.Unlock()
	p := leakProfile()
	if time.Since(t.provedAt) < cfg.proofs || p.Asked > 0 && time.Since(p.At) < proofShare*p.Took {
		return false
	}
	return t.prove()
}

func (t *Tracker) prove() bool {
	start := time.Now()
	t.provedAt = start
	cfg := t.cfg.Load()
	suspects := suspects(cfg, t.reg.Pools())
	stranded, ok := reach.Stranded(suspects, record.Suspect.Point)
	if !ok {
		return false
	}
	proven := suspects[:0]
	for i, s := range suspects {
		if stranded[i] {
			proven = append(proven, s)
		}
	}
	if len(proven) > 0 {
		blame(cfg, proven)
	}
	proofs.mu.Lock()
	defer proofs.mu.Unlock()
	proofs.asked++
	proofs.at, proofs.took = start, time.Since(start)
	return true
}

// suspects are the oldest handles that may turn out to be leaked.
func suspects(cfg *config, pools []*record.Pool) (out []record.Suspect) {
	for _, p := range pools {
		p.Look(cfg.policy, true) // it is asked about what a sweep has met
		out = append(out, p.Suspects()...)
	}
	slices.SortFunc(out, func(a, b record.Suspect) int {
		return cmp.Or(a.Pool.Wall.Add(a.At).Compare(b.Pool.Wall.Add(b.At)), cmp.Compare(a.Pool.ID, b.Pool.ID))
	})
	return out[:min(len(out), maxSuspects)]
}

// blame records what was proven, and looks where the goroutines are that
// opened it.
func blame(cfg *config, proven []record.Suspect) {
	dump := goroutines.Take()
	for _, s := range proven {
		stuck := &record.Stuck{}
		if g := dump.Find(s.Goroutine); g != nil && g.Leaked {
			stuck.Holder, stuck.At = holder(cfg, g)
		}
		s.SetStuck(stuck)
	}
}

// holder says where a goroutine is that opened a handle.
func holder(cfg *config, g *goroutines.Goroutine) (who, at string) {
	who = fmt.Sprintf("goroutine %d, which opened it, is blocked for ever (%s)", g.ID, g.State)
	for _, f := range g.Frames {
		if pkg := f.Package(); !cfg.libraries.Contains(pkg) && pkg != "sync" && pkg != "internal/sync" {
			at = fmt.Sprintf("%s:%d", f.File, f.Line)
			return who + " in " + f.Function + ", " + at, at
		}
	}
	return who, ""
}

// unproven reports whether a proof could say more about any of the views.
func unproven(views []record.View) bool {
	return slices.ContainsFunc(views, func(v record.View) bool { return v.Overdue && !v.Lost && v.Kind != record.KindSession })
}

func leakProfile() LeakProfile {
	proofs.mu.Lock()
	defer proofs.mu.Unlock()
	return LeakProfile{Available: reach.Available(), Asked: proofs.asked, At: proofs.at, Took: proofs.took}
}
