package compat

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"runtime"
	"unsafe"

	"golang.org/x/sync/errgroup"
)

// produce sends rows to nobody.
func produce(a *app) error {
	out := make(chan int)
	type consumer struct{ in chan int }
	c := &consumer{out}
	free(a, c, func(c *consumer) {
		for range c.in {
		}
	})
	return inGoroutine(a, func(opened func()) {
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

func limitOfGroup(a *app) error {
	group, g := new(errgroup.Group), shut(a)
	group.SetLimit(1)
	return inGoroutine(a, func(opened func()) {
		rows, err := a.loseRows(a.db.Query("SELECT id FROM item")) // place: limit of a group
		if err != nil {
			return
		}
		defer rows.Close()
		group.Go(func() error {
			<-g.open
			return nil
		})
		opened()
		group.Go(rows.Close)
		runtime.KeepAlive(g)
	})
}

// angry panics when it is scanned into.
type angry struct{}

func (angry) Scan(any) error { panic("in Scan") }

// panicInScan leaves rows locked, for which their Close waits.
func panicInScan(a *app) error {
	return inGoroutine(a, func(opened func()) {
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

func panicInRowScan(a *app) error {
	return inGoroutine(a, func(opened func()) {
		defer func() { _ = recover() }()
		row := a.db.QueryRow("SELECT id FROM item") // place: panic in the scan of a row
		free(a, rowsOf(row), unlock)
		opened()
		_ = row.Scan(angry{})
	})
}

// rowsOf are the rows inside a row.
func rowsOf(row *sql.Row) *sql.Rows {
	f := reflect.ValueOf(row).Elem().FieldByName("rows")
	return *(**sql.Rows)(unsafe.Pointer(f.UnsafeAddr()))
}

// unlock does what Scan would have done, and Close.
func unlock(rows *sql.Rows) {
	unlockReader(rows)
	_ = rows.Close() // which may go on now: until it is over
}

// unlockReader lets the Close of rows or a Conn go on that waits for a reader.
func unlockReader(of any) {
	mu := reflect.ValueOf(of).Elem().FieldByName("closemu")
	m, ok := reflect.NewAt(mu.Type(), unsafe.Pointer(mu.UnsafeAddr())).Interface().(interface{ RUnlock() })
	if !ok {
		panic(fmt.Errorf("%T has another lock", of))
	}
	m.RUnlock()
}

// cancelledOverRawBytes: what raw bytes refer to is the driver's, and stays
// until the next call on the rows. There is none.
func cancelledOverRawBytes(a *app) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	rows, err := a.loseRows(a.db.QueryContext(ctx, "SELECT name FROM item")) // place: cancelled over raw bytes
	if err != nil {
		return err
	}
	var raw sql.RawBytes
	rows.Next()
	return rows.Scan(&raw)
}

// connWaitsForRows: rows keep their Conn from being closed.
func connWaitsForRows(a *app) error {
	return inGoroutine(a, func(opened func()) {
		conn, err := a.db.Conn(context.Background())
		if err != nil {
			return
		}
		defer conn.Close()
		rows, err := conn.QueryContext(context.Background(), "SELECT id FROM item") // place: conn waits for its rows
		if err == nil {
			free(a, conn, func(c *sql.Conn) { unlockReader(c) })
			opened()
			rows.Next()
		}
	})
}
