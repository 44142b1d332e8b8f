package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// openInnocents opens what the shop holds for as long as it runs.
func (s *shop) openInnocents(ctx context.Context) error {
	var err error
	ctx = tracker.LongLived(ctx, "the lock of the nightly jobs belongs to this connection")
	if s.leader, err = s.db.Conn(ctx); err != nil { // OK: held-on-purpose
		return err
	}
	s.replica, err = driverwrap.Open(s.driver, s.dsn, driverwrap.WithTracker(s.tracker), driverwrap.WithName("replica"))
	if err != nil {
		return err
	}
	s.replica.SetConnMaxLifetime(100 * time.Millisecond)
	return nil
}

func (s *shop) closeInnocents() error {
	var errs []error
	if s.leader != nil {
		errs = append(errs, s.leader.Close())
	}
	if s.replica != nil {
		errs = append(errs, s.replica.Close())
	}
	return errors.Join(errs...)
}

// fromReplica reads from a pool whose connections expire all the time.
func (s *shop) fromReplica(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.replica.Query("SELECT name FROM products ORDER BY id") // OK: connections-expire
	if err != nil {
		return err
	}
	return printFirst(w, rows)
}

// tenant opens the DB of one of the shop's tenants and closes it again.
func (s *shop) tenant(w http.ResponseWriter, r *http.Request) error {
	db, err := driverwrap.Open(s.driver, s.dsn, driverwrap.WithTracker(s.tracker), driverwrap.WithName("tenant")) // OK: tenant-db
	if err != nil {
		return err
	}
	defer db.Close()
	var name string
	if err := db.QueryRow("SELECT name FROM customers WHERE id = 1").Scan(&name); err != nil {
		return err
	}
	fmt.Fprintln(w, name)
	return nil
}

// farewell closes its DB early; that leaves open rows alone.
func (s *shop) farewell(w http.ResponseWriter, r *http.Request) error {
	db, err := driverwrap.Open(s.driver, s.dsn, driverwrap.WithTracker(s.tracker), driverwrap.WithName("farewell"))
	if err != nil {
		return err
	}
	rows, err := db.Query("SELECT name FROM customers ORDER BY id") // OK: rows-outlive-db
	if err != nil {
		return errors.Join(err, db.Close())
	}
	defer rows.Close()
	if err := db.Close(); err != nil {
		return err
	}
	for rows.Next() {
		if err := printString(w, rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// sorted lists products in an order of the visitor's choice. An order can't be
// a parameter, so there is a statement for each.
func (s *shop) sorted(w http.ResponseWriter, r *http.Request) error {
	columns := map[string]string{"name": "name", "number": "sku", "price": "price_cents", "stock": "stock", "age": "id"}
	column, ok := columns[r.FormValue("by")]
	if !ok {
		return errNotFound
	}
	return s.statements.query("SELECT name FROM products ORDER BY "+column, func(rows *sql.Rows) error {
		return printFirst(w, rows)
	})
}

// stmtCache keeps the statements used last.
type stmtCache struct {
	db   *sql.DB
	size int

	mu    sync.Mutex // held while a statement is used, so that none is evicted then
	stmts map[string]*sql.Stmt
	order []string // keys of stmts, the oldest first
}

func newStmtCache(db *sql.DB, size int) *stmtCache {
	return &stmtCache{db: db, size: size, stmts: make(map[string]*sql.Stmt)}
}

// query runs a query by its cached statement.
func (c *stmtCache) query(text string, use func(*sql.Rows) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	stmt, ok := c.stmts[text]
	if !ok {
		var err error
		if stmt, err = c.db.Prepare(text); err != nil { // OK: stmt-cache
			return err
		}
		c.stmts[text] = stmt
		c.order = append(c.order, text)
		if err := c.evict(c.size); err != nil {
			return err
		}
	}
	rows, err := stmt.Query()
	if err != nil {
		return err
	}
	return use(rows)
}

// evict closes the oldest statements beyond size.
func (c *stmtCache) evict(size int) error {
	var errs []error
	for len(c.order) > size {
		text := c.order[0]
		c.order = c.order[1:]
		errs = append(errs, c.stmts[text].Close())
		delete(c.stmts, text)
	}
	return errors.Join(errs...)
}

func (c *stmtCache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.evict(0)
}
