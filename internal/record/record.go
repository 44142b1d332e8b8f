// Package record holds the model: pools, their connections, and the handles
// that are open on them. Package driverwrap writes it as database/sql drives
// the wrapped driver; package tracker reads it.
//
// A record never points at an object of the application: not at its *sql.DB,
// not at a context. A query on a DB takes no lock; whatever does takes that of
// its one connection, which database/sql uses from one goroutine at a time.
//
// Locks are taken in this order: Registry.mu, Pool.mu, Conn.mu, Pool.endMu. None
// is taken while refusals.mu is held.
package record

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/petermattis/goid"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
	"github.com/dbleaks-go/dbleaks/internal/fastclock"
)

// Kind is the kind of a handle.
type Kind uint8

// The kinds. Rows opened by QueryRow are KindRows; their stack tells.
const (
	KindDB Kind = iota
	KindConn
	KindTx
	KindRows
	KindStmt
	KindSession
)

// Mark says where and when something was opened.
type Mark struct {
	Stack     *callstack.Stack
	At        time.Duration // on the pool's clock
	Goroutine int64
}

// Registry is the root of the records of one tracker. Use [NewRegistry].
type Registry struct {
	Stacks callstack.Table

	// sweep is called by a pool's timer while the pool has work for it.
	sweep func(*Pool) (again bool)
	// interval returns the time between two sweeps.
	interval func() time.Duration
	// labels are the application's words about a handle opened with ctx.
	labels func(ctx context.Context) []Label
	// asked is positive while there is more to know of a handle than what
	// its context carries: while there are guards, or labels.
	asked       atomic.Int32
	askedLabels atomic.Bool
	sessions    atomic.Uint32 // what is checked of those: a session.Aspect
	off         atomic.Bool
	seq         atomic.Uint64
	unlisted    atomic.Uint64
	closedConns closedConns
	refusals    refusals

	mu    sync.Mutex // guards pools
	pools map[*Pool]struct{}
}

// ConnBytes and HandleBytes are the sizes of records. The first handle of a
// connection has room in the connection's.
const (
	ConnBytes   = uint64(unsafe.Sizeof(Conn{}))
	HandleBytes = uint64(unsafe.Sizeof(Handle{}))
)

// NewRegistry makes a registry whose pools, while they have open handles,
// call sweep every interval, each on a goroutine that ends with the call.
// labels is asked about handles once [Registry.AskLabels] was called.
func NewRegistry(sweep func(*Pool) (again bool), interval func() time.Duration, labels func(context.Context) []Label) *Registry {
	return &Registry{sweep: sweep, interval: interval, labels: labels, pools: make(map[*Pool]struct{})}
}

// AskLabels has labels asked about handles that are opened from now on.
func (r *Registry) AskLabels() {
	if r.askedLabels.CompareAndSwap(false, true) {
		r.asked.Add(1)
		anyTerms.Store(true)
	}
}

// Off tells that recording was stopped for good.
func (r *Registry) Off() bool { return r.off.Load() }

// Stop ends recording for good: handles opened from now on are not recorded.
func (r *Registry) Stop() { r.off.Store(true) }

// Unlisted counts the statements that were not recorded because their
// connection had too many.
func (r *Registry) Unlisted() uint64 { return r.unlisted.Load() }

// Pools returns the pools that are open, or closed with connections in use,
// by ID.
func (r *Registry) Pools() []*Pool {
	r.mu.Lock()
	out := make([]*Pool, 0, len(r.pools))
	for p := range r.pools {
		out = append(out, p)
	}
	r.mu.Unlock()
	slices.SortFunc(out, func(a, b *Pool) int { return int(int64(a.ID) - int64(b.ID)) })
	return out
}

// fill says that it is the calling goroutine, now, and reports whether that
// shares the pool's time. It compares before it stores a pointer: the same line
// opens most of what is opened on a connection, and only stores concern the
// garbage collector.
func (m *Mark) fill(p *Pool) (shared bool) {
	if s := p.reg.Stacks.Capture(); m.Stack != s {
		m.Stack = s
	}
	m.Goroutine = goid.Get()
	if now, ok := fastclock.Now(); ok { // p.time, for which a query hasn't the time
		m.At = now - p.clock.offset
		return true
	}
	m.At, shared = p.slowTime()
	return shared
}
