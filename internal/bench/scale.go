package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// sizes say how many there are of what is measured.
type sizes struct {
	live     int // handles whose memory is measured
	sites    int
	queries  int // after which nothing may have grown
	swept    int
	snapshot int
	interval time.Duration // between sweeps
}

func sizesFor(handles int) sizes {
	return sizes{
		live: handles / 2, sites: min(handles/20, 4096), queries: 10 * handles, swept: handles, snapshot: handles / 2,
		// Time enough to open them, and no less than a tracker takes.
		interval: max(250*time.Millisecond, time.Duration(handles)*20*time.Microsecond),
	}
}

// What many handles may cost at most.
const (
	targetHandle   = 300 // bytes
	targetSite     = 2048
	targetSweep    = 20 * time.Millisecond  // of 100,000
	targetSnapshot = 150 * time.Millisecond // of 50,000
)

// scale measures what many open handles cost.
func scale(ctx context.Context, o options, stdout, stderr io.Writer) error {
	n := sizesFor(o.handles)
	t := table{head: []string{"many open handles", "at most", "measured", ""}}
	for _, measure := range []func(context.Context, sizes, *table) error{growth, siteBytes, handleBytes, sweeps, snapshots} {
		if err := errors.Join(ctx.Err(), measure(ctx, n, &t)); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "scale: %s\n", t.rows[len(t.rows)-1][0])
	}
	t.write(stdout)
	return nil
}

// limit adds a row with a target.
func (t *table) limit(what, limit, measured string, met bool) {
	t.add(what, limit, measured, verdict(met))
}

// holder is a DB and what was opened on it.
type holder struct {
	db *sql.DB
	// tracker is nil if the DB is bare.
	tracker *tracker.Tracker
	opened  []io.Closer
}

// hold opens a DB with n idle connections.
func hold(ctx context.Context, recorded bool, n int, opts ...tracker.Option) (h *holder, err error) {
	h = &holder{opened: make([]io.Closer, 0, n)}
	if recorded {
		if h.tracker, err = tracker.New(opts...); err != nil {
			return nil, err
		}
	}
	h.db = driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(h.tracker))
	h.db.SetMaxIdleConns(n)
	for range n {
		c, err := h.db.Conn(ctx)
		if err != nil {
			return nil, errors.Join(err, h.close())
		}
		h.opened = append(h.opened, c)
	}
	return h, h.release()
}

// open opens n handles, each below the application's frames of its variant of
// sites.
func (h *holder) open(n, sites int, open func(db *sql.DB) (io.Closer, error)) (err error) {
	for i := range n {
		path := deepStack(mainDepth, uint16(i%sites), func() {
			var c io.Closer
			if c, err = open(h.db); err == nil {
				h.opened = append(h.opened, c)
			}
		})
		if path[0](path[1:]); err != nil {
			return err
		}
	}
	return nil
}

// release closes what was opened.
func (h *holder) release() (err error) {
	for _, c := range h.opened {
		err = errors.Join(err, c.Close())
	}
	clear(h.opened)
	h.opened = h.opened[:0]
	return err
}

func (h *holder) close() error {
	err := errors.Join(h.release(), h.db.Close())
	if h.tracker != nil {
		h.tracker.Close()
	}
	return err
}

// heap is what is reachable on the heap, in bytes.
func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one found unreachable may refer to more
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func openRows(db *sql.DB) (io.Closer, error) { return db.Query("rows 1") }
func openStmt(db *sql.DB) (io.Closer, error) { return db.Prepare("select") }

func openTx(db *sql.DB) (io.Closer, error) {
	tx, err := db.Begin()
	return closerFunc(tx.Rollback), err
}

func openConn(db *sql.DB) (io.Closer, error) { return db.Conn(context.Background()) }

type closerFunc func() error

func (f closerFunc) Close() error { return f() }
