package compat

import (
	"context"
	"database/sql"
	"io"
	"runtime"
	"runtime/pprof"
	"sync"
	"weak"
)

// What a program has lost can be freed when it is over: by the test, which has
// kept nothing but weak pointers until then.

// free arranges for what is lost to be freed when the program is over, without
// keeping it until then. The runtime throws at who wakes a goroutine that it
// has called leaked; another profile takes that back, as it is no longer true.
func free[T any](a *app, lost *T, how func(*T)) {
	w := weak.Make(lost)
	a.leftovers = append(a.leftovers, func() error {
		lost := w.Value()
		if lost == nil {
			return nil
		}
		if p := pprof.Lookup("goroutineleak"); p != nil && !inBubble() {
			if err := p.WriteTo(io.Discard, 1); err != nil {
				return err
			}
		}
		how(lost)
		return nil
	})
}

func (a *app) loseRows(rows *sql.Rows, err error) (*sql.Rows, error) {
	if err == nil {
		free(a, rows, func(rows *sql.Rows) { _ = rows.Close() })
	}
	return rows, err
}

func (a *app) loseTx(tx *sql.Tx, err error) (*sql.Tx, error) {
	if err == nil {
		free(a, tx, func(tx *sql.Tx) { _ = tx.Rollback() }) // a goroutine may have done so
	}
	return tx, err
}

func (a *app) loseDB(db *sql.DB, err error) (*sql.DB, error) {
	if err == nil {
		free(a, db, func(db *sql.DB) { a.check(db.Close()) })
	}
	return db, err
}

// withLostCancel is a context that nobody can cancel any more.
func withLostCancel() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	_ = cancel
	return ctx
}

// gate is what goroutines wait at for ever.
type gate struct{ open chan struct{} }

//go:noinline
func shut(a *app) *gate {
	g := &gate{make(chan struct{})}
	free(a, g, func(g *gate) { close(g.open) })
	return g
}

// wait doesn't return before the program is over.
func (g *gate) wait() {
	<-g.open
	runtime.KeepAlive(g)
}

// inGoroutine runs a goroutine that will be stuck, until it says that it has
// opened what it holds. When what it waits for was freed, it ends.
func inGoroutine(a *app, f func(opened func())) error {
	ready, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		opened := sync.OnceFunc(func() { close(ready) })
		defer opened()
		f(opened)
	}()
	<-ready
	a.leftovers = append(a.leftovers, func() error {
		<-over
		return nil
	})
	return nil
}

// finished runs a goroutine to its end.
func finished(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}
