package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/dbleaks-go/dbleaks/tracker"
	"github.com/dbleaks-go/dbleaks/tracker/leaklog"
)

const (
	// threshold is far shorter than a real shop would want it, so that
	// everything is found while somebody watches.
	threshold = 2 * time.Second
	// sumUpAfter is when the demo says what it has found, complete or not;
	// later only if it took the database longer than usual to start.
	sumUpAfter = 9 * time.Second
	leastLook  = 6 * time.Second
	// allFoundAfter is from when on a leak that isn't found is an error.
	allFoundAfter = 10 * time.Second
	lookEvery     = 200 * time.Millisecond
)

// demo is one run of the shop.
type demo struct {
	options options
	screen  *screen
	log     io.Writer // for findings, with -v

	// complete, if set, is called once everything planted is found and every
	// look-alike has had its chance.
	complete func()
}

// run runs the shop until ctx or its time ends, and returns an error if not
// everything that was planted was found, or anything else was listed.
func (d *demo) run(ctx context.Context) (err error) {
	started := time.Now()
	list, err := newChecklist()
	if err != nil {
		return err
	}
	t, err := d.newTracker()
	if err != nil {
		return err
	}
	l, err := d.options.listen()
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Fprintln(d.screen.w, "Setting up a database ...")
	data, err := openDatabase(ctx, d.options)
	if ctx.Err() != nil && err != nil {
		return fmt.Errorf("interrupted while the database was set up: %w", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.close()) }()
	s, err := openShop(ctx, data, t)
	if err != nil {
		return err
	}

	if d.options.hang {
		if err := s.hang(); err != nil {
			return errors.Join(err, s.close())
		}
	}

	base := "http://" + l.Addr().String()
	d.screen.intro(data.what, base, s.selfTest)
	if d.options.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.options.duration)
		defer cancel()
	}
	w := &watch{demo: d, list: list, shop: s, load: newLoad(base), started: started}
	w.sumUpAt = later(started.Add(sumUpAfter), time.Now().Add(leastLook))
	stopped := serve(ctx, l, s.mux, w.load)
	w.run(ctx)
	due := errors.Is(ctx.Err(), context.DeadlineExceeded) && d.options.duration >= allFoundAfter
	if names := w.load.unserved(); due && len(names) > 0 {
		err = fmt.Errorf("look-alikes that never came to their end, and prove nothing: %s", strings.Join(names, ", "))
	}
	err = errors.Join(err, <-stopped, s.close(), d.conclude(t, list, due))
	// What it holds is held until now, and not garbage during the conclusion.
	runtime.KeepAlive(s)
	return err
}

func (d *demo) newTracker() (*tracker.Tracker, error) {
	opts := []tracker.Option{
		tracker.WithKindThreshold(tracker.KindRows, threshold),
		tracker.WithKindThreshold(tracker.KindTx, threshold),
		tracker.WithKindThreshold(tracker.KindConn, threshold),
	}
	if d.options.verbose {
		logger := zerolog.New(d.log).With().Timestamp().Logger()
		opts = append(opts, tracker.WithObserver(leaklog.Zerolog(logger)))
	}
	return tracker.New(opts...)
}

// serve serves the shop to its load, and to whoever else comes, until ctx
// ends. It then tells how that went.
func serve(ctx context.Context, l net.Listener, h http.Handler, visitors *load) <-chan error {
	srv := &http.Server{Handler: h}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	stopped := make(chan error, 1)
	go func() {
		visitors.run(ctx)
		// Requests that are still there are a person's.
		patience, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if srv.Shutdown(patience) != nil {
			srv.Close()
		}
		err := <-failed
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		stopped <- err
	}()
	return stopped
}

// conclude prints the exit report and the verdict on the demo itself.
func (d *demo) conclude(t *tracker.Tracker, list *checklist, due bool) error {
	// What ends with the requests' contexts ends a moment after them.
	patience := time.After(5 * time.Second)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for waiting := true; waiting && !list.quiet(t.Snapshot()); {
		select {
		case <-look.C:
		case <-patience:
			waiting = false
		}
	}
	report := t.Close()
	list.updateAtExit(report)
	fmt.Fprintf(d.screen.w, "\nThe exit report:\n\n%v\n%v\n", report, list.verdict())
	return list.check(due)
}

// watch looks at the tracker from time to time and shows what it finds.
type watch struct {
	demo    *demo
	list    *checklist
	shop    *shop
	load    *load
	started time.Time
	sumUpAt time.Time // at the latest
}

func (w *watch) run(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var summedUp, complete bool
	for {
		select {
		case <-ctx.Done():
			w.look() // once more, for what the last moment brought
			w.demo.screen.update(w.list, w.progress())
			return
		case <-look.C:
		}
		changed := w.look()
		done := len(w.list.missing()) == 0
		switch {
		case !summedUp && (done || time.Now().After(w.sumUpAt)):
			summedUp = true
			w.demo.screen.sumUp(w.list, w.progress(), time.Since(w.started))
		case changed || w.demo.screen.live && !summedUp:
			w.demo.screen.update(w.list, w.progress())
		}
		if done && !complete && len(w.load.unserved()) == 0 && w.demo.complete != nil {
			complete = true
			w.demo.complete()
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// look takes in what the tracker lists now. It asks for proofs as long as
// something is missing: a demo can't wait until the tracker does.
func (w *watch) look() (changed bool) {
	if len(w.list.missing()) > 0 {
		w.shop.tracker.Prove()
	}
	return w.list.update(w.shop.tracker.Snapshot())
}

func (w *watch) progress() progress {
	w.load.mu.Lock()
	defer w.load.mu.Unlock()
	stats := w.shop.db.Stats()
	return progress{
		requests: w.load.requests, failed: w.load.failed,
		inUse: stats.InUse, connections: stats.MaxOpenConnections,
	}
}
