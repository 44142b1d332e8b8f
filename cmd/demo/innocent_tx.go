package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// order sells one product. The deferred Rollback does nothing after Commit.
//
// It writes before it reads: SQLite gives the right to write to whoever waits
// for it, but refuses it at once to a transaction that has read what somebody
// else has changed since.
func (s *shop) order(w http.ResponseWriter, r *http.Request) error {
	ctx, product := r.Context(), r.FormValue("product")
	tx, err := s.db.BeginTx(ctx, nil) // OK: rollback-after-commit
	if err != nil {
		return err
	}
	defer tx.Rollback()
	res, err := tx.ExecContext(ctx, "UPDATE products SET stock = stock - 1 WHERE id = ? AND stock > 0", product)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errOutOfStock
	}
	res, err = tx.ExecContext(ctx, "INSERT INTO orders (customer_id) VALUES (1)")
	if err != nil {
		return err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO order_lines (order_id, product_id, quantity) VALUES (?, ?, 1)", id, product)
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	fmt.Fprintln(w, "order", id)
	return nil
}

// cart only reads and leaves the transaction to its context, which ends with
// the request.
func (s *shop) cart(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	tx, err := s.db.BeginTx(ctx, nil) // OK: context-ends-tx
	if err != nil {
		return err
	}
	var name string
	if err := tx.QueryRowContext(ctx, "SELECT name FROM customers WHERE id = ?", r.FormValue("customer")).Scan(&name); err != nil {
		return err
	}
	fmt.Fprintf(w, "%s's cart is empty\n", name)
	return nil
}

// recent shows the last order. The end of the transaction closes its rows.
func (s *shop) recent(w http.ResponseWriter, r *http.Request) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	rows, err := tx.Query("SELECT id FROM orders ORDER BY id DESC") // OK: rows-end-with-tx
	if err != nil {
		return err
	}
	if rows.Next() {
		return printString(w, rows)
	}
	return rows.Err()
}

// bestsellers prepares a statement in a transaction, whose end closes it.
func (s *shop) bestsellers(w http.ResponseWriter, r *http.Request) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	stmt, err := tx.Prepare("SELECT name FROM products WHERE id = ?") // OK: stmt-ends-with-tx
	if err != nil {
		return err
	}
	for id := 1; id <= 3; id++ {
		var name string
		if err := stmt.QueryRow(id).Scan(&name); err != nil {
			return err
		}
		fmt.Fprintln(w, name)
	}
	return nil
}

// stocktake counts every product in one transaction, so that all the numbers
// are of the same moment. It is open for longer than the threshold, and in use
// all the time.
func (s *shop) stocktake(w http.ResponseWriter, r *http.Request) error {
	tx, err := s.db.BeginTx(context.Background(), nil) // OK: long-tx-works
	if err != nil {
		return err
	}
	defer tx.Rollback()
	shelf := time.NewTicker(pace)
	defer shelf.Stop()
	sum := 0
	for id := 1; id <= productCount; id++ {
		var stock int
		if err := tx.QueryRow("SELECT stock FROM products WHERE id = ?", id).Scan(&stock); err != nil {
			return err
		}
		sum += stock
		select {
		case <-shelf.C:
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
	fmt.Fprintln(w, sum, "pieces in stock")
	return tx.Commit()
}
