package serverview

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// A LookOption changes what [Look] looks at.
type LookOption func(*request)

type request struct {
	tracker *tracker.Tracker
	pool    string // empty for all
	sql     bool
}

// WithSQL has the view show statements, without their literals. They may still
// name tables.
func WithSQL() LookOption {
	return func(r *request) { r.sql = true }
}

// OnlyPool looks at the pools of one name.
func OnlyPool(name string) LookOption {
	return func(r *request) { r.pool = name }
}

const (
	// defaultTimeout bounds a look whose context has no deadline.
	defaultTimeout = 5 * time.Second
	// maxServers is how many data sources are looked at.
	maxServers = 16
)

// errNotEnabled says what to do for something to look at.
var errNotEnabled = errors.New("serverview: no open pool was opened with serverview.Enable")

// Look asks the servers of the tracker's pools that were opened with [Enable],
// one connection for each data source. It returns when all have answered or
// ctx has ended; without a deadline, after 5 seconds. The error names every
// server that could not be asked; the view shows the others all the same.
//
// Looks at one data source take turns. A driver that ignores the context may
// keep a goroutine and a connection after Look has returned; then nobody else
// looks there until it is done.
//
// It is safe for concurrent use.
func Look(ctx context.Context, t *tracker.Tracker, opts ...LookOption) (View, error) {
	r := request{tracker: t}
	for _, opt := range opts {
		if opt != nil {
			opt(&r)
		}
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultTimeout)
		defer cancel()
	}
	sources := r.sources()
	v := View{TakenAt: time.Now(), Servers: make([]Server, len(sources))}
	if len(sources) == 0 {
		return v, errNotEnabled
	}
	errs := make([]error, len(sources))
	var all sync.WaitGroup
	for i, s := range sources {
		if i >= maxServers {
			errs[i] = fmt.Errorf("not looked at: there are more than %d data sources; give pools of one source one name", maxServers)
			continue
		}
		all.Go(func() { v.Servers[i], errs[i] = s.lookWithin(ctx, r) })
	}
	all.Wait()
	for i, s := range sources {
		v.Servers[i].Pools = s.names()
		if errs[i] != nil {
			v.Servers[i].Error = errs[i].Error()
			errs[i] = fmt.Errorf("serverview: pool %s: %w", s.pools[0].Name, errs[i])
		}
	}
	return v, errors.Join(errs...)
}

// source is a data source: the pools that connect to it.
type source struct {
	probe     *probe
	connector driver.Connector // of one of the pools; nil if none is left
	pools     []*record.Pool
}

// sources groups the pools that can be looked at, the oldest first.
func (r request) sources() (out []*source) {
	known := make(map[uint64]*source)
	reg := r.tracker.Recorder()
	if reg == nil {
		return nil
	}
	for _, p := range reg.Pools() {
		asked, c := p.Probe()
		pr, ok := asked.(*probe)
		if !ok || r.pool != "" && p.Name != r.pool {
			continue
		}
		s := known[p.Identity]
		if s == nil || p.Identity == 0 {
			s = &source{probe: pr}
			known[p.Identity] = s
			out = append(out, s)
		}
		s.pools = append(s.pools, p)
		if s.connector == nil && c != nil {
			s.probe, s.connector = pr, c
		}
	}
	return out
}

func (s *source) names() (out []string) {
	for _, p := range s.pools {
		if !slices.Contains(out, p.Name) {
			out = append(out, p.Name)
		}
	}
	return out
}

func (s *source) has(poolID uint64) bool {
	return slices.ContainsFunc(s.pools, func(p *record.Pool) bool { return p.ID == poolID })
}

// lookWithin is look for as long as ctx lasts, whatever the driver does.
func (s *source) lookWithin(ctx context.Context, r request) (Server, error) {
	select {
	case s.probe.turn <- struct{}{}:
	case <-ctx.Done():
		return Server{}, fmt.Errorf("another look is still waiting for the server: %w", ctx.Err())
	}
	type answer struct {
		server Server
		err    error
	}
	answered, done := make(chan answer, 1), make(chan struct{})
	go func() {
		defer close(done)
		defer func() { <-s.probe.turn }()
		own, err := s.probe.safeConnect(ctx, s.connector)
		if err != nil {
			answered <- answer{err: err}
			return
		}
		defer own.discard()
		server, err := s.look(ctx, r, own)
		answered <- answer{server, err}
	}()
	select {
	case a := <-answered:
		select {
		case <-done: // also the connection is closed
		case <-ctx.Done():
		}
		if a.err != nil && ctx.Err() != nil && !errors.Is(a.err, ctx.Err()) {
			a.err = fmt.Errorf("%w: %w", ctx.Err(), a.err)
		}
		return a.server, a.err
	case <-ctx.Done():
		return Server{}, fmt.Errorf("no answer from the server: %w", ctx.Err())
	}
}

// look asks the server over a connection of its own.
func (s *source) look(ctx context.Context, r request, own *ownConn) (out Server, err error) {
	defer own.caught(&err)
	began := time.Now()
	f, version, err := flavorOf(ctx, own.Conn)
	if err != nil {
		return Server{}, err
	}
	out = Server{Kind: f.kind, Version: version}
	id, server, err := f.whoAmI(ctx, own.Conn)
	if err != nil {
		return out, err
	}
	if own.session != nil && own.session.ID != id {
		return out, fmt.Errorf("a proxy is in between: it calls a connection %d that the server calls %d, so the connections of the pool can't be found there", own.session.ID, id)
	}
	l := &look{
		flavor: f, q: own.Conn, sql: r.sql, id: id, shared: own.shared,
		sessions: make(map[uint64]*Session), starts: make(map[uint64]time.Duration),
	}
	before := r.tracker.Connections()
	if err := f.look(ctx, l); err != nil {
		return out, err
	}
	mine := s.sort(before, r.tracker.Connections(), s.servers(before, own, server))
	l.judge(&out, mine)
	out.Took = time.Since(began)
	return out, nil
}

// servers are the names under which the connections of the look's server were
// learned.
func (s *source) servers(conns []tracker.Connection, own *ownConn, asked string) (out []string) {
	if own.shared {
		out = append(out, asked)
		if own.session != nil {
			out = append(out, own.session.Server)
		}
		return out
	}
	// Another account may come by another way: it is the user's word that it
	// is the same server.
	for _, c := range conns {
		if s.has(c.PoolID) {
			out = append(out, c.Server)
		}
	}
	return out
}

// connections are those that this process has, or had, on the server.
type connections struct {
	own       []tracker.Connection // of the pools of the source
	others    []tracker.Connection // of other pools
	closed    []tracker.Connection
	elsewhere int // of the source, but on other servers
}

// sort sorts what was known before and after the server was asked. What came or
// went meanwhile is left out: the server may not have seen it.
func (s *source) sort(before, after []tracker.Connection, servers []string) (out connections) {
	was := make(map[key]bool, len(before))
	for _, c := range before {
		was[keyOf(c)] = true
	}
	for _, c := range after {
		here := slices.Contains(servers, c.Server)
		switch {
		case !was[keyOf(c)]:
		case !here && s.has(c.PoolID) && c.ClosedAt.IsZero():
			out.elsewhere++
		case !here:
		case !c.ClosedAt.IsZero():
			out.closed = append(out.closed, c)
		case s.has(c.PoolID):
			out.own = append(out.own, c)
		default:
			out.others = append(out.others, c)
		}
	}
	return out
}

// key tells a process's connections apart.
type key struct {
	pool, id uint64
	closed   bool
}

func keyOf(c tracker.Connection) key { return key{c.PoolID, c.ID, !c.ClosedAt.IsZero()} }
