package main

import (
	"database/sql"
	"fmt"
	"net/http"
)

// The transactions that are lost here have only read: a lost one that had
// written would keep its locks, on SQLite those of the whole database, and the
// shop would stand still.

// quote reads a price and a stock that agree with each other, and forgets its
// transaction when there is nothing in stock.
func (s *shop) quote(w http.ResponseWriter, r *http.Request) error {
	tx, err := s.db.Begin() // BUG: early-return
	if err != nil {
		return err
	}
	var cents, stock int
	err = tx.QueryRow("SELECT price_cents, stock FROM products WHERE id = ?", r.FormValue("product")).Scan(&cents, &stock)
	if err != nil {
		tx.Rollback()
		return err
	}
	if stock == 0 {
		return errOutOfStock
	}
	fmt.Fprintf(w, "%d.%02d, %d in stock\n", cents/100, cents%100, stock)
	return tx.Commit()
}

// returns starts the return of an order. Its deferred function looks at the
// err of Begin, while the query sets one of its own.
func (s *shop) returns(w http.ResponseWriter, r *http.Request) error {
	tx, err := s.db.Begin() // BUG: shadowed-err
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tx.Rollback()
		}
	}()
	var customer int
	if err := tx.QueryRow("SELECT customer_id FROM orders WHERE id = ?", r.FormValue("order")).Scan(&customer); err != nil {
		return err
	}
	fmt.Fprintln(w, "label sent to customer", customer)
	return tx.Commit()
}

// inTx runs f in a transaction. It has thought of errors, but not of panics.
func (s *shop) inTx(f func(*sql.Tx) error) error {
	tx, err := s.db.Begin() // BUG: panic-in-tx
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

// split tells what each of several friends pays for an order; none of them is
// too few to divide by.
func (s *shop) split(w http.ResponseWriter, r *http.Request) error {
	return s.inTx(func(tx *sql.Tx) error {
		var cents, parts int
		err := tx.QueryRow(`SELECT SUM(l.quantity * p.price_cents) FROM order_lines l
			JOIN products p ON p.id = l.product_id WHERE l.order_id = ?`, r.FormValue("order")).Scan(&cents)
		if err != nil {
			return err
		}
		if _, err := fmt.Sscan(r.FormValue("parts"), &parts); err != nil {
			return err
		}
		fmt.Fprintln(w, "each pays", cents/parts)
		return nil
	})
}

// pay hands an order to a worker, which waits for the bank in the middle of
// its transaction. The bank never answers.
func (s *shop) pay(w http.ResponseWriter, r *http.Request) error {
	order := r.FormValue("order")
	go s.inTxPaid(order)
	fmt.Fprintln(w, "thank you")
	return nil
}

func (s *shop) inTxPaid(order string) error {
	tx, err := s.db.Begin() // BUG: tx-waits
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var customer int
	if err := tx.QueryRow("SELECT customer_id FROM orders WHERE id = ?", order).Scan(&customer); err != nil {
		return err
	}
	<-s.payments
	return tx.Commit()
}
