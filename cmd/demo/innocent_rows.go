package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"time"
)

// pace is how often the slow handlers do something: as often as a visitor on a
// slow line lets them. They take 60 steps, longer than any threshold.
const pace = 50 * time.Millisecond

// products lists the catalogue. Reading rows to the end closes them.
func (s *shop) products(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.db.Query("SELECT name FROM products ORDER BY id") // OK: read-to-the-end
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := printString(w, rows); err != nil {
			rows.Close()
			return err
		}
	}
	return rows.Err()
}

// newest shows one product and leaves the rest. The end of the context closes
// the rows; MySQL's driver closes their connection with them, so this is
// nothing to do to the connections that everybody else uses.
func (s *shop) newest(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	rows, err := s.replica.QueryContext(ctx, "SELECT name FROM products ORDER BY id DESC") // OK: context-ends
	if err != nil {
		return err
	}
	if rows.Next() {
		return printString(w, rows)
	}
	return rows.Err()
}

func (s *shop) cheapest(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.db.Query("SELECT name FROM products ORDER BY price_cents") // OK: closed-by-helper
	if err != nil {
		return err
	}
	return printFirst(w, rows)
}

// printFirst prints the first row and closes the rows.
func printFirst(w http.ResponseWriter, rows *sql.Rows) error {
	defer rows.Close()
	if rows.Next() {
		return printString(w, rows)
	}
	return rows.Err()
}

// names hands its rows over to a goroutine that closes them.
func (s *shop) names(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.db.Query("SELECT name FROM products ORDER BY name") // OK: closed-by-goroutine
	if err != nil {
		return err
	}
	names := make(chan string)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(names)
		defer rows.Close()
		for rows.Next() {
			var name string
			if rows.Scan(&name) != nil {
				return
			}
			select {
			case names <- name:
			case <-stop:
				return
			}
		}
	}()
	fmt.Fprintln(w, <-names)
	return nil
}

// stockOf scans its row, and that closes it whatever comes of it.
func (s *shop) stockOf(w http.ResponseWriter, r *http.Request) error {
	var stock int
	row := s.db.QueryRow("SELECT stock FROM products WHERE id = ?", r.FormValue("product")) // OK: row-scanned
	if err := row.Scan(&stock); err != nil {
		return err
	}
	fmt.Fprintln(w, stock)
	return nil
}

// export streams the catalogue to a visitor on a slow line. Its rows are open
// for longer than the threshold, and in use all the time.
func (s *shop) export(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.db.Query("SELECT name FROM products ORDER BY id") // OK: export-advances
	if err != nil {
		return err
	}
	defer rows.Close()
	line := time.NewTicker(pace)
	defer line.Stop()
	for rows.Next() {
		if err := printString(w, rows); err != nil {
			return err
		}
		select {
		case <-line.C:
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
	return rows.Err()
}
