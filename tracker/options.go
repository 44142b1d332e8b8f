package tracker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
	"github.com/dbleaks-go/dbleaks/internal/record"
)

// DefaultThreshold is the time without activity after which rows, a
// transaction or a connection are overdue.
const DefaultThreshold = 30 * time.Second

// A pool in use is swept at a quarter of the smallest threshold, within these
// bounds.
const (
	minInterval = 250 * time.Millisecond
	maxInterval = 5 * time.Second
)

// An Option configures a [Tracker]; see [New] and [(*Tracker).Configure].
type Option func(*config) error

// config is replaced as a whole, never changed, once a tracker uses it.
type config struct {
	policy    record.Policy
	sites     []record.SiteLimit // the last one that matches counts
	observers []Observer
	libraries *callstack.Libraries
	// proofs is the shortest time between two proofs that nobody asked for.
	proofs time.Duration
	labels func(context.Context) []Label // nil if there are none
	// sessions is what is noted of connections that go back to their pool.
	sessions SessionChecks
}

func defaultConfig() config {
	return config{
		policy:    record.Policy{Conn: DefaultThreshold, Tx: DefaultThreshold, Rows: DefaultThreshold},
		libraries: &callstack.Libraries{},
		proofs:    DefaultProofInterval,
		sessions:  DefaultSessionChecks,
	}
}

// with returns a copy that the options were applied to; on an error, all of
// what is wrong with them and no configuration.
func (c config) with(opts []Option) (*config, error) {
	c.observers = slices.Clone(c.observers)
	var errs []error
	for i, o := range opts {
		if o == nil {
			errs = append(errs, fmt.Errorf("tracker: option %d is nil", i+1))
			continue
		}
		errs = append(errs, o(&c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	c.policy.Sites = record.NewSites(c.sites, c.libraries)
	return &c, nil
}

// apply tells the registry what it is to ask and to note.
func (c *config) apply(r *record.Registry) {
	c.ask(r)
	r.CheckSessions(c.sessions.aspects())
}

// interval is the time between two sweeps of a pool.
func (c *config) interval() time.Duration {
	shortest := time.Duration(0)
	consider := func(d time.Duration) {
		if d > 0 && (shortest == 0 || d < shortest) {
			shortest = d
		}
	}
	consider(c.policy.Conn)
	consider(c.policy.Tx)
	consider(c.policy.Rows)
	for _, s := range c.sites {
		consider(s.Threshold)
	}
	if shortest == 0 {
		return maxInterval
	}
	return min(max(shortest/4, minInterval), maxInterval)
}

// WithKindThreshold sets how long a handle of the kind may be held without any
// activity before it is overdue. The default is 30 s for KindConn, KindTx and
// KindRows (KindRow shares that of KindRows); 0 means never. KindDB and
// KindStmt live as long as the process on purpose and have no threshold: they
// are reported when they keep growing. [WithThreshold] sets it for one call,
// [WithSiteThreshold] for the lines that open the handles.
func WithKindThreshold(k Kind, d time.Duration) Option {
	return func(c *config) error {
		switch {
		case d < 0:
			return fmt.Errorf("tracker: WithKindThreshold(%v, %v): a threshold can't be negative; 0 turns the kind off", k, d)
		case k == KindConn:
			c.policy.Conn = d
		case k == KindTx:
			c.policy.Tx = d
		case k == KindRows:
			c.policy.Rows = d
		case k == KindRow:
			return errors.New("tracker: WithKindThreshold(row): a row shares the threshold of rows; set that of KindRows")
		default:
			return fmt.Errorf("tracker: WithKindThreshold(%v): this kind is never overdue by age; use KindConn, KindTx or KindRows", k)
		}
		return nil
	}
}

// WithMaxAge sets the age past which a handle is overdue though it is being
// used: rows that keep advancing, a transaction that keeps running
// statements. The default, 0, means never.
func WithMaxAge(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return fmt.Errorf("tracker: WithMaxAge(%v): an age can't be negative; 0 turns the check off", d)
		}
		c.policy.MaxAge = d
		return nil
	}
}

// WithProofInterval sets how often the tracker may ask the goroutine-leak
// profile on its own, which it does when something is overdue; see
// [(*Tracker).Prove]. The default is [DefaultProofInterval]; 0 means never. It
// is asked less often where that would take more than a thousandth of the
// time.
func WithProofInterval(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return fmt.Errorf("tracker: WithProofInterval(%v): an interval can't be negative; 0 turns these proofs off", d)
		}
		c.proofs = d
		return nil
	}
}

// WithObserver adds an observer of the tracker's events.
func WithObserver(o Observer) Option {
	return func(c *config) error {
		if f, ok := o.(ObserverFunc); o == nil || ok && f == nil {
			return errors.New("tracker: WithObserver: the observer is nil")
		}
		c.observers = append(c.observers, o)
		return nil
	}
}

// WithLibraries names packages, by prefixes of their import paths, that sit
// between the application and database/sql and are never the site of a
// finding, e.g. "example.com/platform/dbutil". The common ORMs and query
// builders are known already.
func WithLibraries(prefixes ...string) Option {
	return func(c *config) error {
		for _, p := range prefixes {
			if strings.TrimSpace(p) == "" {
				return errors.New("tracker: WithLibraries: an empty prefix would make every package a library")
			}
		}
		c.libraries = &callstack.Libraries{Extra: append(slices.Clone(c.libraries.Extra), prefixes...)}
		return nil
	}
}
