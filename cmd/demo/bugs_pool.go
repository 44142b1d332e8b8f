package main

import (
	"fmt"
	"net/http"

	"github.com/dbleaks-go/dbleaks/driverwrap"
)

// margin takes a connection of its own, and gives it back only if all goes
// well.
func (s *shop) margin(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	conn, err := s.db.Conn(ctx) // BUG: conn-on-error
	if err != nil {
		return err
	}
	var cents int
	err = conn.QueryRowContext(ctx, "SELECT price_cents FROM products WHERE id = ?", r.FormValue("product")).Scan(&cents)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "margin in cents:", cents/3)
	return conn.Close()
}

// price prepares a statement to make a single query "fast". It holds no
// connection, but the server keeps each of them.
func (s *shop) price(w http.ResponseWriter, r *http.Request) error {
	stmt, err := s.db.Prepare("SELECT price_cents FROM products WHERE id = ?") // BUG: prepare-per-call
	if err != nil {
		return err
	}
	var cents int
	if err := stmt.QueryRow(r.FormValue("product")).Scan(&cents); err != nil {
		return err
	}
	fmt.Fprintln(w, cents)
	return nil
}

// stats takes sql.Open for opening a connection. It makes a pool, which keeps
// its connection, idle, for ever.
func (s *shop) stats(w http.ResponseWriter, r *http.Request) error {
	db, err := driverwrap.Open(s.driver, s.dsn, driverwrap.WithTracker(s.tracker), driverwrap.WithName("stats")) // BUG: open-per-request
	if err != nil {
		return err
	}
	var orders int
	if err := db.QueryRow("SELECT COUNT(*) FROM orders").Scan(&orders); err != nil {
		return err
	}
	fmt.Fprintln(w, orders, r.FormValue("of"))
	return nil
}
