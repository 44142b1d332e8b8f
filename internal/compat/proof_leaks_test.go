package compat

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"runtime"
	"sync"
	"unsafe"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

var stuckLeaks = []stuckLeak{
	{name: "dropped", kind: tracker.KindTx, plant: func(a *app) {
		tx, err := a.db.Begin() // place: dropped
		a.must(err)
		free(a, tx, end)
		_, err = tx.Exec("UPDATE item SET price = price WHERE id < 0")
		a.must(err)
	}},
	{name: "dropped with rows", kind: tracker.KindTx, plant: func(a *app) {
		tx, err := a.db.Begin() // place: dropped with rows
		a.must(err)
		free(a, tx, end)
		rows, err := tx.Query("SELECT id FROM item")
		a.must(err)
		rows.Next()
	}},
	{name: "dropped after a panic", kind: tracker.KindTx, plant: func(a *app) {
		defer func() { _ = recover() }()
		tx, err := a.db.Begin() // place: dropped after a panic
		a.must(err)
		free(a, tx, end)
		if a != nil {
			panic("in a transaction")
		}
		a.must(tx.Rollback())
	}},
	{name: "dropped on a conn that is kept", kind: tracker.KindTx, plant: func(a *app) {
		conn, err := a.db.Conn(a.ctx)
		a.must(err)
		tx, err := conn.BeginTx(context.Background(), nil) // place: dropped on a conn that is kept
		a.must(err)
		free(a, tx, end)
		a.leftovers = append(a.leftovers, conn.Close)
	}},
	{name: "dropped with its conn", kind: tracker.KindTx, plant: func(a *app) {
		conn, err := a.db.Conn(a.ctx)
		a.must(err)
		tx, err := conn.BeginTx(context.Background(), nil) // place: dropped with its conn
		a.must(err)
		free(a, tx, end)
		free(a, conn, func(c *sql.Conn) { a.must(c.Close()) })
	}},
	{name: "dropped in a loop that goes on", kind: tracker.KindTx, plant: func(a *app) {
		for i := range 5 {
			tx, err := a.db.Begin() // place: dropped in a loop that goes on
			a.must(err)
			if i != 2 {
				a.leftovers = append(a.leftovers, tx.Rollback)
				continue
			}
			free(a, tx, end)
		}
	}},
	{name: "rows of a dropped context", kind: tracker.KindRows, on: []*backend{pqBackend, sqliteBackend}, plant: func(a *app) {
		rows, err := a.db.QueryContext(withLostCancel(), "SELECT id FROM item") // place: rows of a dropped context
		a.must(err)
		free(a, rows, closeRows)
		rows.Next()
	}},
	{name: "transaction of a dropped context", kind: tracker.KindTx, on: []*backend{mysqlBackend, sqliteBackend}, plant: func(a *app) {
		tx, err := a.db.BeginTx(withLostCancel(), nil) // place: transaction of a dropped context
		a.must(err)
		free(a, tx, end)
	}},
	{name: "handed to who is stuck", kind: tracker.KindTx, plant: func(a *app) {
		tx, err := a.db.Begin() // place: handed to who is stuck
		a.must(err)
		free(a, tx, end)
		g := shut(a)
		go func() {
			<-g.open
			_ = tx.Rollback()
			runtime.KeepAlive(g)
		}()
	}},
	{name: "producer of rows", kind: tracker.KindRows, where: "is blocked for ever (chan send) in", plant: produce},
	{name: "waits for those who wait for it", kind: tracker.KindTx, where: "is blocked for ever (select) in", plant: func(a *app) {
		g, left, right := shut(a), make(chan struct{}), make(chan struct{})
		go func() {
			select {
			case <-left:
			case <-g.open:
			}
			close(right)
			runtime.KeepAlive(g)
		}()
		inGoroutine(a, func(opened func()) {
			defer opened()
			tx, err := a.db.Begin() // place: waits for those who wait for it
			if err != nil {
				return
			}
			free(a, tx, end)
			opened()
			defer tx.Rollback()
			select {
			case <-right:
			case <-g.open:
			}
			close(left)
			runtime.KeepAlive(g)
		})
	}},
	{name: "locks twice", kind: tracker.KindTx, where: "is blocked for ever (sync.Mutex.Lock) in", plant: func(a *app) {
		mu := new(sync.Mutex)
		free(a, mu, (*sync.Mutex).Unlock)
		inGoroutine(a, func(opened func()) {
			defer opened()
			mu.Lock()
			defer mu.Unlock()
			tx, err := a.db.Begin() // place: locks twice
			if err != nil {
				return
			}
			free(a, tx, end)
			opened()
			defer tx.Rollback()
			mu.Lock()
		})
	}},
	{name: "waits for a group", kind: tracker.KindTx, where: "is blocked for ever (sync.WaitGroup.Wait) in", plant: func(a *app) {
		group := new(sync.WaitGroup)
		group.Add(1)
		free(a, group, (*sync.WaitGroup).Done)
		inGoroutine(a, func(opened func()) {
			defer opened()
			tx, err := a.db.Begin() // place: waits for a group
			if err != nil {
				return
			}
			free(a, tx, end)
			opened()
			defer tx.Rollback()
			group.Wait()
		})
	}},
	{name: "close waits for its own transaction", kind: tracker.KindTx, where: "is blocked for ever (sync.", plant: func(a *app) {
		inGoroutine(a, func(opened func()) {
			defer opened()
			conn, err := a.db.Conn(context.Background())
			if err != nil {
				return
			}
			defer conn.Close()
			tx, err := conn.BeginTx(context.Background(), nil) // place: close waits for its own transaction
			if err == nil {
				free(a, tx, end)
				opened()
			}
		})
	}},
	{name: "panic in scan", kind: tracker.KindRows, where: "is blocked for ever (sync.", plant: panicInScan},
	{name: "db", kind: tracker.KindDB, plant: func(a *app) {
		db, err := driverwrap.Open(a.driver, a.source, driverwrap.WithTracker(a.tracker)) // place: db
		a.must(err)
		free(a, db, func(db *sql.DB) { a.must(db.Close()) })
		a.must(db.Ping())
	}},
}

// withLostCancel is a context that nobody can cancel any more.
func withLostCancel() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	_ = cancel
	return ctx
}

func closeRows(rows *sql.Rows) { _ = rows.Close() }

// end ends a transaction, which a goroutine may have done already.
func end(tx *sql.Tx) { _ = tx.Rollback() }

// inGoroutine runs a goroutine that will be stuck, until it says that it has
// opened what it holds. When what it waits for was freed, it ends.
func inGoroutine(a *app, f func(opened func())) {
	ready, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		f(sync.OnceFunc(func() { close(ready) }))
	}()
	<-ready
	a.leftovers = append(a.leftovers, func() error {
		<-over
		return nil
	})
}

// produce sends rows to nobody.
func produce(a *app) {
	out := make(chan int)
	type consumer struct{ in chan int }
	c := &consumer{out}
	free(a, c, func(c *consumer) {
		for range c.in {
		}
	})
	inGoroutine(a, func(opened func()) {
		defer opened()
		defer close(c.in)
		rows, err := a.db.Query("SELECT id FROM item") // place: producer of rows
		if err != nil {
			return
		}
		defer rows.Close()
		opened()
		for rows.Next() {
			c.in <- 1
		}
	})
}

// angry panics when it is scanned into.
type angry struct{}

func (angry) Scan(any) error { panic("in Scan") }

// panicInScan leaves rows locked, for which their Close waits.
func panicInScan(a *app) {
	inGoroutine(a, func(opened func()) {
		defer opened()
		defer func() { _ = recover() }()
		rows, err := a.db.Query("SELECT id FROM item") // place: panic in scan
		if err != nil {
			return
		}
		defer rows.Close()
		free(a, rows, unlock)
		opened()
		rows.Next()
		_ = rows.Scan(angry{})
	})
}

// unlock does what Scan would have done, and Close.
func unlock(rows *sql.Rows) {
	mu := reflect.ValueOf(rows).Elem().FieldByName("closemu")
	m, ok := reflect.NewAt(mu.Type(), unsafe.Pointer(mu.UnsafeAddr())).Interface().(interface{ RUnlock() })
	if !ok {
		panic(errors.New("the rows have another lock"))
	}
	m.RUnlock()
	_ = rows.Close() // which may go on now: until it is over
}
