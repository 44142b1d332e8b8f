package main

import (
	"database/sql"
	"fmt"
	"net/http"

	"github.com/dbleaks-go/dbleaks/driverwrap"
)

// find looks a product up by its number. It closes its rows when there is no
// such product (database/sql does, at the end of the result) or on an error,
// but not when it has found what it wants.
func (s *shop) find(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.db.Query("SELECT sku, name FROM products ORDER BY id") // BUG: first-match
	if err != nil {
		return err
	}
	for rows.Next() {
		var sku, name string
		if err := rows.Scan(&sku, &name); err != nil {
			rows.Close()
			return err
		}
		if sku == r.FormValue("sku") {
			fmt.Fprintln(w, name)
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return errNotFound
}

// describe forgets that a description may be NULL, which no string can hold:
// Scan fails and the rows stay open.
func (s *shop) describe(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.db.Query("SELECT description FROM products WHERE id = ?", r.FormValue("id")) // BUG: scan-error
	if err != nil {
		return err
	}
	for rows.Next() {
		var description string
		if err := rows.Scan(&description); err != nil {
			return err
		}
		fmt.Fprintln(w, description)
	}
	return rows.Err()
}

// account lists a customer's orders. The check for blocked customers was added
// later, in the wrong place.
func (s *shop) account(w http.ResponseWriter, r *http.Request) error {
	customer := r.FormValue("customer")
	var blocked bool
	if err := s.db.QueryRow("SELECT blocked FROM customers WHERE id = ?", customer).Scan(&blocked); err != nil {
		return err
	}
	rows, err := s.db.Query("SELECT id FROM orders WHERE customer_id = ? ORDER BY id DESC LIMIT 20", customer) // BUG: defer-too-late
	if err != nil {
		return err
	}
	if blocked {
		return errNotFound
	}
	defer rows.Close()
	return printInts(w, "order", rows)
}

// visit counts where visitors come from. An UPDATE has no result, but Query
// returns rows all the same, and they hold the connection until closed.
func (s *shop) visit(w http.ResponseWriter, r *http.Request) error {
	if r.FormValue("from") == "newsletter" {
		_, err := s.db.Query("UPDATE counters SET n = n + 1 WHERE name = 'newsletter'") // BUG: query-as-exec
		if err != nil {
			return err
		}
	}
	fmt.Fprintln(w, "welcome")
	return nil
}

// compare shows two products. The deferred Close was bound to the first rows
// when it was deferred; the second ones are closed only if they are read to
// the end.
func (s *shop) compare(w http.ResponseWriter, r *http.Request) error {
	const query = "SELECT name FROM products WHERE id = ?"
	rows, err := s.db.Query(query, r.FormValue("a"))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := printString(w, rows); err != nil {
			return err
		}
	}
	rows, err = s.db.Query(query, r.FormValue("b")) // BUG: rows-reassigned
	if err != nil {
		return err
	}
	if rows.Next() {
		return printString(w, rows)
	}
	return rows.Err()
}

// invoice knows names for small packs only: an order of a dozen makes it panic
// while its rows are open.
func (s *shop) invoice(w http.ResponseWriter, r *http.Request) error {
	packs := []string{"none", "one", "a pair"}
	rows, err := s.db.Query("SELECT quantity FROM order_lines WHERE order_id = ?", r.FormValue("order")) // BUG: panic-before-close
	if err != nil {
		return err
	}
	for rows.Next() {
		var quantity int
		if err := rows.Scan(&quantity); err != nil {
			rows.Close()
			return err
		}
		fmt.Fprintln(w, packs[quantity])
	}
	return rows.Close()
}

// archive reads an old order from a DB of its own. Closing a DB closes its
// idle connections; the one that these rows hold is not idle.
func (s *shop) archive(w http.ResponseWriter, r *http.Request) error {
	db, err := driverwrap.Open(s.driver, s.dsn, driverwrap.WithTracker(s.tracker), driverwrap.WithName("archive"))
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.Query("SELECT product_id FROM order_lines WHERE order_id >= ?", r.FormValue("order")) // BUG: db-closed-first
	if err != nil {
		return err
	}
	if rows.Next() {
		return printString(w, rows)
	}
	return rows.Err()
}

// cursor is where a visitor of the catalogue has got to.
type cursor struct{ rows *sql.Rows }

// browse shows a product and keeps the rows for the visitor's next request,
// which never comes. Something can still close these: nothing is proven, but
// nobody uses them.
func (s *shop) browse(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.db.Query("SELECT name FROM products ORDER BY id") // BUG: cursor-kept
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.cursors = append(s.cursors, &cursor{rows})
	s.mu.Unlock()
	if rows.Next() {
		return printString(w, rows)
	}
	return rows.Err()
}

// subscribed tells if a customer is one. Without Scan, QueryRow's only row is
// neither read nor closed (and "no such row" isn't noticed either).
func (s *shop) subscribed(w http.ResponseWriter, r *http.Request) error {
	row := s.db.QueryRow("SELECT id FROM customers WHERE id = ?", r.FormValue("customer")) // BUG: row-not-scanned
	if err := row.Err(); err != nil {
		return err
	}
	fmt.Fprintln(w, "subscribed")
	return nil
}
