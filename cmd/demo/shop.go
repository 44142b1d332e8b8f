package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/driverwrap/serverview"
	"github.com/dbleaks-go/dbleaks/httpdebug"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// The pool is small enough that a shop with this many leaks would soon stand
// still, and large enough for the leaks that the demo lets happen: see
// [shop.ration].
const maxConns = 60

// shop is the web shop: ordinary handlers on an ordinary *sql.DB, some of
// which are wrong (bugs_*.go), some of which only look so (innocent_*.go).
type shop struct {
	db      *sql.DB
	driver  string // the two arguments of sql.Open,
	dsn     string // for the handlers that open a DB of their own
	tracker *tracker.Tracker
	mux     *http.ServeMux

	selfTest tracker.SelfTestResult // of the tracker, when the shop was opened

	statements *stmtCache    // innocent: it closes what it evicts
	leader     *sql.Conn     // innocent: held on purpose
	replica    *sql.DB       // innocent: its connections expire
	payments   chan struct{} // nobody ever sends on it
	hanging    *hanging      // the pools that are exhausted on request

	mu      sync.Mutex
	cursors []*cursor      // what browse leaves open, reachable but forgotten
	ration  map[string]int // how often a bug's request may still be made
}

// openShop opens the shop on a database that holds its tables.
func openShop(ctx context.Context, d *database, t *tracker.Tracker) (*shop, error) {
	db, err := driverwrap.Open(d.driver, d.dsn, seen(d.driver, t, "shop")...) // OK: process-wide-db
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	s := &shop{
		db: db, driver: d.driver, dsn: d.dsn, tracker: t,
		mux:      http.NewServeMux(),
		payments: make(chan struct{}),
		hanging:  newHanging(),
		ration:   make(map[string]int),
	}
	for _, b := range bugs {
		s.ration[b.uri] = b.times
	}
	s.statements = newStmtCache(db, 3)
	if s.selfTest, err = t.SelfTest(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := s.openInnocents(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.routes()
	return s, nil
}

// seen are the options of a pool that the diagnosis may ask the server about, if
// there is one. A query for each connection tells its number there.
func seen(driver string, t *tracker.Tracker, name string) []driverwrap.Option {
	opts := []driverwrap.Option{driverwrap.WithTracker(t), driverwrap.WithName(name)}
	if driver == "mysql" {
		opts = append(opts, serverview.Enable(serverview.AskID()))
	}
	return opts
}

// close gives back what the shop holds on purpose. What its bugs lost stays
// lost: closing a DB closes its idle connections only.
func (s *shop) close() error {
	errs := []error{s.hanging.close(), s.statements.close(), s.closeInnocents()}
	return errors.Join(append(errs, s.db.Close())...)
}

func (s *shop) routes() {
	s.handle("GET /{$}", s.index)
	s.handle("GET /products/{id}", s.product)
	s.handle("GET /orders", s.orders)
	s.handle("POST /hang", s.serveHang)
	for _, b := range bugs {
		s.handle(b.pattern, bound(s, b.handler))
	}
	for _, i := range innocents {
		if i.handler != nil {
			s.handle(i.pattern, bound(s, i.handler))
		}
	}
	opts := []httpdebug.Option{httpdebug.WithTracker(s.tracker), httpdebug.Allow(visitor), httpdebug.WithSelfTest(s.testItself)}
	if s.driver == "mysql" {
		opts = append(opts, httpdebug.WithServerView(serverview.ForReports()))
	}
	httpdebug.Register(s.mux, opts...)
}

// visitor lets whoever sits at this machine see everything: the database has
// nothing in it but the demo's data.
func visitor(r *http.Request) (view, sensitive bool) { return httpdebug.Loopback(r), true }

func (s *shop) testItself(ctx context.Context) error {
	_, err := s.tracker.SelfTest(ctx, s.db)
	return err
}

// A handler answers a request or says why it can't.
type handler func(w http.ResponseWriter, r *http.Request) error

func bound(s *shop, h func(*shop, http.ResponseWriter, *http.Request) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error { return h(s, w, r) }
}

// handle mounts a handler with what every web framework puts around it: errors
// become a status, and so do panics. A shop that survives its panics is what
// makes a leak of them.
func (s *shop) handle(pattern string, h handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				http.Error(w, fmt.Sprint("panic: ", p), http.StatusInternalServerError)
			}
		}()
		if !s.spend(r) {
			http.Error(w, "This leak has happened often enough: the shop has to go on working.", http.StatusTooManyRequests)
			return
		}
		// A visitor who has left needs no answer.
		if err := h(w, r); err != nil && r.Context().Err() == nil {
			http.Error(w, err.Error(), status(err))
		}
	})
}

// spend tells if the request may be served: the ones that run into a bug are
// rationed, or the pool would run dry and the demo show nothing but a shop
// that stands still.
func (s *shop) spend(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	left, rationed := s.ration[r.URL.RequestURI()]
	if rationed && left > 0 {
		s.ration[r.URL.RequestURI()]--
	}
	return !rationed || left > 0
}

var (
	errNotFound   = errors.New("there is no such thing in this shop")
	errOutOfStock = errors.New("out of stock")
)

func status(err error) int {
	switch {
	case errors.Is(err, errNotFound), errors.Is(err, sql.ErrNoRows):
		return http.StatusNotFound
	case errors.Is(err, errOutOfStock):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}
