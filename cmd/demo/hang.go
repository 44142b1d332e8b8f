package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/dbleaks-go/dbleaks/driverwrap"
)

// hang is a way to exhaust a pool. Each has a pool of its own, so that the rest
// of the shop goes on.
type hang struct {
	pool string
	what string // what the programmer got wrong
	play func(*hanging, *sql.DB)
}

const (
	hangConns   = 2 // of each pool
	hangWaiters = 3 // who ask for a connection besides
)

var hangs = []hang{
	{"reports", "two reports return without closing their rows", (*hanging).leakRows},
	{"checkout", "two transactions each want a second connection", (*hanging).nestTransactions},
	{"catalogue", "one transaction prepares a statement under a lock, another one waits for the lock", (*hanging).lockCache},
}

// hanging is what hangs, until it is closed.
type hanging struct {
	ctx  context.Context
	end  context.CancelFunc
	all  sync.WaitGroup
	mu   sync.Mutex // guards the rest
	over bool
	dbs  map[string]*sql.DB // by pool
}

func newHanging() *hanging {
	h := &hanging{dbs: make(map[string]*sql.DB)}
	h.ctx, h.end = context.WithCancel(context.Background())
	return h
}

// hang exhausts the pools, unless they are.
func (s *shop) hang() error {
	h := s.hanging
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.dbs) > 0 || h.over {
		return nil
	}
	for _, way := range hangs {
		db, err := driverwrap.Open(s.driver, s.dsn, seen(s.driver, s.tracker, way.pool)...)
		if err != nil {
			return err
		}
		db.SetMaxOpenConns(hangConns)
		h.dbs[way.pool] = db
		h.all.Go(func() { h.exhaust(way, db) })
	}
	return nil
}

func (h *hanging) exhaust(way hang, db *sql.DB) {
	way.play(h, db)
	for range hangWaiters {
		h.all.Go(func() { h.visit(db) })
	}
}

// visit asks for a connection, as any visitor.
func (h *hanging) visit(db *sql.DB) {
	var n int
	_ = db.QueryRowContext(h.ctx, "SELECT COUNT(*) FROM products").Scan(&n) // HANG: visitor
}

// leakRows looks for the first row only, twice, and doesn't close the rows.
func (h *hanging) leakRows(db *sql.DB) {
	for range hangConns {
		rows, err := db.Query("SELECT id FROM products ORDER BY id") // HANG: leaked-rows
		if err != nil || !rows.Next() {
			return
		}
	}
}

// nestTransactions starts as many checkouts as there are connections.
func (h *hanging) nestTransactions(db *sql.DB) {
	h.meet(func(all *sync.WaitGroup) { _ = h.checkout(db, all) })
}

// checkout reads the stock on a connection of its own, with a transaction open.
func (h *hanging) checkout(db *sql.DB, all *sync.WaitGroup) error {
	tx, err := db.BeginTx(h.ctx, nil) // HANG: transaction
	all.Done()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	all.Wait() // as if by bad luck
	var stock int
	return db.QueryRowContext(h.ctx, "SELECT stock FROM products WHERE id = 1").Scan(&stock) // HANG: second-connection
}

// lockCache starts as many price changes as there are connections.
func (h *hanging) lockCache(db *sql.DB) {
	c := &prices{db: db, stmts: make(map[string]*sql.Stmt)}
	h.meet(func(all *sync.WaitGroup) { _ = h.changePrice(c, all) })
}

// changePrice looks for a prepared statement, with a transaction open.
func (h *hanging) changePrice(c *prices, all *sync.WaitGroup) error {
	tx, err := c.db.BeginTx(h.ctx, nil) // HANG: cache-transaction
	all.Done()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	all.Wait() // as if by bad luck
	stmt, err := c.stmt(h.ctx, "SELECT price_cents FROM products WHERE id = ?")
	if err != nil {
		return err
	}
	var cents int
	return tx.StmtContext(h.ctx, stmt).QueryRowContext(h.ctx, 1).Scan(&cents)
}

// prices keeps prepared statements.
type prices struct {
	db    *sql.DB
	mu    sync.Mutex
	stmts map[string]*sql.Stmt
}

// stmt prepares a statement under the lock, on a connection of its own.
func (c *prices) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	c.mu.Lock() // HANG: cache-lock
	defer c.mu.Unlock()
	if stmt := c.stmts[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := c.db.PrepareContext(ctx, query) // HANG: cache-prepare
	if err == nil {
		c.stmts[query] = stmt
	}
	return stmt, err
}

// meet runs a task for each connection, and waits until all have taken theirs.
func (h *hanging) meet(task func(all *sync.WaitGroup)) {
	var all sync.WaitGroup
	all.Add(hangConns)
	for range hangConns {
		h.all.Go(func() { task(&all) })
	}
	all.Wait()
}

// close ends the waits. The rows that were leaked stay lost.
func (h *hanging) close() error {
	h.end()
	h.all.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	var errs []error
	for _, db := range h.dbs {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}

// isHang reports whether a pool is there to be exhausted.
func isHang(pool string) bool {
	return slices.ContainsFunc(hangs, func(h hang) bool { return h.pool == pool })
}

// serveHang is behind the button of the front page.
func (s *shop) serveHang(w http.ResponseWriter, r *http.Request) error {
	if err := s.hang(); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err := fmt.Fprintln(w, `<!DOCTYPE html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Hanging</title>
<p>Three pools are about to hang. In five seconds, <a href="/debug/dbleaks/">the page</a> says why, at its top, and so do
<a href="/debug/dbleaks/diagnosis">the diagnosis</a> and <code>dbleaks doctor</code>.</p>`)
	return err
}
