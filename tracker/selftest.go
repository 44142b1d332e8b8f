package tracker

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/selftest"
)

// SelfTestResult says how a self-test saw the leak that it had planted.
type SelfTestResult struct {
	Took  time.Duration // from the leak until it was proven
	Proof Proof
	Site  Frame // the line that leaked
}

// SelfTested is a self-test that has ended.
type SelfTested struct {
	SelfTestResult
	At    time.Time // when it ended
	Error string    // empty if it saw the leak
}

const (
	// selfTestPatience is how long a leak may take to be seen, and selfTestGrace
	// how long a driver may take to notice the end of a context.
	selfTestPatience = 10 * time.Second
	selfTestGrace    = time.Second
)

// SelfTest proves that the tracker is alive: it loses rows on purpose, on a
// connection of its own, and returns nil once they are proven leaked, with the
// right line. Then it closes them and the connection, and nothing is left of
// either, in no report, event or total, and not in the database. A service may
// call it when it starts, or as a part of its health check:
//
//	if _, err := tracker.SelfTest(ctx, db); err != nil {
//		log.Print(err) // "tracker: self-test: …"
//	}
//
// It takes a connection of db for a moment to learn how more are made, and so
// waits, until ctx ends, while the pool has none to spare. On its own connection
// it runs "SELECT 1", and collects garbage, usually once. It is an error if db
// was not opened through driverwrap with this tracker, if the tracker is closed,
// if ctx ends first, or if the leak isn't seen within 10 s. The error says at
// which step.
func (t *Tracker) SelfTest(ctx context.Context, db *sql.DB) (SelfTestResult, error) {
	r, err := t.selfTest(ctx, db)
	if err != nil {
		r, err = SelfTestResult{}, fmt.Errorf("tracker: self-test: %w", err)
	}
	if t != nil {
		done := SelfTested{SelfTestResult: r, At: time.Now()}
		if err != nil { // the error itself may refer to anything
			done.Error = err.Error()
		}
		t.selfTested.Store(&done)
	}
	return r, err
}

// SelfTest tests the default tracker; see [(*Tracker).SelfTest].
func SelfTest(ctx context.Context, db *sql.DB) (SelfTestResult, error) {
	return Default().SelfTest(ctx, db)
}

var (
	errTrackerClosed = errors.New("the tracker is closed, and records nothing")
	errNotWrapped    = errors.New("the DB's connections are not recorded: it was not opened through driverwrap, " +
		"or recording is off for it, or a wrapper of another package hides it")
	errOtherTracker = errors.New("another tracker records the DB's connections")
)

func (t *Tracker) selfTest(ctx context.Context, db *sql.DB) (SelfTestResult, error) {
	switch {
	case t == nil:
		return SelfTestResult{}, errors.New("there is no tracker: it is nil")
	case t.reg.Off():
		return SelfTestResult{}, errTrackerClosed
	case db == nil:
		return SelfTestResult{}, errors.New("there is no DB: it is nil")
	}
	s, err := subject(ctx, db)
	if err != nil {
		return SelfTestResult{}, err
	}
	if s.Recorder != t.reg {
		return SelfTestResult{}, errOtherTracker
	}
	return t.plantInTime(ctx, s)
}

// subject looks at a connection of db.
func subject(ctx context.Context, db *sql.DB) (s selftest.Subject, err error) {
	conn, err := db.Conn(LongLived(ctx, "self-test"))
	if err != nil {
		if n := db.Stats(); ctx.Err() != nil && n.MaxOpenConnections > 0 && n.InUse >= n.MaxOpenConnections {
			return s, fmt.Errorf("wait for a connection of the DB, of which all %d are in use: %w", n.MaxOpenConnections, err)
		}
		return s, fmt.Errorf("get a connection of the DB: %w", err)
	}
	defer conn.Close()
	found := false
	err = conn.Raw(func(driverConn any) error {
		if selftest.Find != nil {
			s, found = selftest.Find(driverConn)
		}
		return nil
	})
	if err == nil && !found {
		err = errNotWrapped
	}
	return s, err
}

// plot is one self-test under way.
type plot struct {
	tracker *Tracker
	step    atomic.Pointer[string] // what it is about
}

// at notes what the self-test is about.
func (p *plot) at(step string) { p.step.Store(&step) }

// plantInTime returns when ctx ends, though the driver may not. What is left
// then is closed when it does.
func (t *Tracker) plantInTime(ctx context.Context, s selftest.Subject) (SelfTestResult, error) {
	type outcome struct {
		SelfTestResult
		err error
	}
	p := &plot{tracker: t}
	p.at("start")
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if v := recover(); v != nil {
				o.err = fmt.Errorf("%s: panic: %v", *p.step.Load(), v)
			}
			done <- o
		}()
		o.SelfTestResult, o.err = p.run(ctx, s)
	}()
	select {
	case o := <-done:
		return o.SelfTestResult, o.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(selfTestGrace)
	defer grace.Stop()
	select {
	case o := <-done:
		return o.SelfTestResult, o.err
	case <-grace.C:
		return SelfTestResult{}, fmt.Errorf("%s: the driver doesn't return: %w", *p.step.Load(), context.Cause(ctx))
	}
}

// run plants the leak, sees it, and cleans up.
func (p *plot) run(ctx context.Context, s selftest.Subject) (r SelfTestResult, err error) {
	pool := p.tracker.reg.HiddenPool()
	if pool == nil {
		return r, errTrackerClosed
	}
	own := selftest.NewPlot(ctx, s, pool)
	defer func() {
		if closed := own.Close(); err == nil && closed != nil {
			err = fmt.Errorf("close the connection that it was on: %w", closed)
		}
	}()
	p.at("run " + selftest.Query + " on a connection of its own")
	line, err := selftest.Leak(own.DB)
	if err != nil {
		return r, fmt.Errorf("%s: %w", *p.step.Load(), err)
	}
	start := time.Now()
	f, err := p.see(ctx, pool)
	if err != nil {
		return r, err
	}
	r = SelfTestResult{Took: time.Since(start), Proof: f.Proof, Site: f.Site}
	if want := (Frame{Function: line.Function, File: line.File, Line: line.Line}); f.Kind != KindRows || f.Site != want {
		return r, fmt.Errorf("the leak of rows at %s:%d was taken for one of %v at %s:%d", want.File, want.Line, f.Kind, f.Site.File, f.Site.Line)
	}
	return r, nil
}

// see sweeps and collects garbage until the leak is proven.
func (p *plot) see(ctx context.Context, pool *record.Pool) (Finding, error) {
	pause := time.Millisecond
	for start := time.Now(); ; {
		f, seen := p.look(pool)
		switch {
		case seen:
			return f, nil
		case ctx.Err() != nil:
			return f, fmt.Errorf("%s: %w", *p.step.Load(), context.Cause(ctx))
		case time.Since(start) >= selfTestPatience:
			return f, fmt.Errorf("%s: it has not happened within %v", *p.step.Load(), selfTestPatience)
		}
		runtime.GC()
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// look does what a sweep by timer does, and in its turn.
func (p *plot) look(pool *record.Pool) (Finding, bool) {
	if !p.tracker.emitting.TryLock() {
		p.at("wait for the sweeps, which an observer holds up")
		return Finding{}, false
	}
	defer p.tracker.emitting.Unlock()
	p.at("see that the rows are lost")
	cfg := p.tracker.cfg.Load()
	views, _ := pool.Sweep(cfg.policy, concernsSweep)
	for _, g := range cfg.groupViews(views) {
		if f := cfg.finding(g); f.State == StateLeaked {
			return f, true
		}
	}
	return Finding{}, false
}
