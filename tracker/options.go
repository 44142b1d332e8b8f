package tracker

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Default thresholds. See [WithThreshold].
const (
	DefaultThreshold = 30 * time.Second
)

// An Option configures a [Tracker]; see [New] and [(*Tracker).Configure].
type Option func(*config) error

type config struct {
	thresholds map[Kind]time.Duration
	maxAge     time.Duration
	observers  []Observer
	libraries  []string
}

func defaultConfig() config {
	return config{thresholds: map[Kind]time.Duration{
		KindConn: DefaultThreshold,
		KindTx:   DefaultThreshold,
		KindRows: DefaultThreshold,
	}}
}

// WithThreshold sets how long a handle of the kind may be held without any
// activity before it is overdue. The default is 30 s for KindConn, KindTx and
// KindRows (KindRow shares that of KindRows); 0 means never. KindDB and
// KindStmt live as long as the process on purpose and have no threshold: they
// are reported when they keep growing.
func WithThreshold(k Kind, d time.Duration) Option {
	return func(c *config) error {
		switch {
		case d < 0:
			return fmt.Errorf("tracker: WithThreshold(%v, %v): a threshold can't be negative; 0 turns the kind off", k, d)
		case k == KindConn || k == KindTx || k == KindRows:
			c.thresholds[k] = d
			return nil
		case k == KindRow:
			return errors.New("tracker: WithThreshold(row): a row shares the threshold of rows; set that of KindRows")
		}
		return fmt.Errorf("tracker: WithThreshold(%v): this kind is never overdue by age; use KindConn, KindTx or KindRows", k)
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
		c.maxAge = d
		return nil
	}
}

// WithObserver adds an observer of the tracker's events.
func WithObserver(o Observer) Option {
	return func(c *config) error {
		if o == nil {
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
		c.libraries = append(c.libraries, prefixes...)
		return nil
	}
}
