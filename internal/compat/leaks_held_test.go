package compat

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"runtime"
	"sync"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// rowsHeldLeaks are rows that something still leads to, or a goroutine that
// is blocked for ever.
var rowsHeldLeaks = []leak{
	{name: "rows kept", shows: "rows in a struct that lives on, forgotten", kind: tracker.KindRows, known: atThreshold, plant: rowsKept},
	{name: "closed much later", shows: "a timer is to close them, hours from now", kind: tracker.KindRows, known: atThreshold, plant: func(a *app) error {
		rows, err := a.db.Query("SELECT id FROM item") // place: closed much later
		if err != nil {
			return err
		}
		timer := time.AfterFunc(100*time.Hour, func() { rows.Close() })
		a.leftovers = append(a.leftovers, func() error {
			timer.Stop()
			return rows.Close()
		})
		return nil
	}},
	{name: "finalizer in a ring", shows: "a finalizer is to close them, of an object in a ring: it never runs", kind: tracker.KindRows, known: atThreshold, plant: finalizerInRing},
	{name: "iterator not stopped", shows: "`iter.Pull` without `stop`: the deferred Close inside never runs", kind: tracker.KindRows, known: atThreshold, plant: iteratorNotStopped},
	{name: "defer in a loop", shows: "`defer rows.Close()` in a loop that goes on: none is closed before its end", kind: tracker.KindRows, known: atThreshold, handles: 3, plant: deferInLoop},
	{name: "query inside rows", shows: "a query inside open rows, in a pool of one: a deadlock", kind: tracker.KindRows, known: atThreshold, once: true, exhausts: true, plant: queryInsideRows},
	{name: "slow consumer", shows: "each row of an export waits for its receiver, who has gone to sleep", kind: tracker.KindRows, known: atThreshold, plant: slowConsumer},
	{name: "producer of rows", shows: "a goroutine sends rows to a channel that nobody reads any more", kind: tracker.KindRows, known: atThreshold,
		proven: backends, where: "is blocked for ever (chan send) in", plant: produce},
	{name: "result after a timeout", shows: "a goroutine hands rows over an unbuffered channel, after the caller's timeout", kind: tracker.KindRows, known: atThreshold,
		proven: backends, where: "is blocked for ever (chan send) in", plant: resultAfterTimeout},
	{name: "limit of a group", shows: "a task with open rows starts another one in a group that is full", kind: tracker.KindRows, known: atThreshold,
		proven: backends, where: "is blocked for ever (chan send) in", plant: limitOfGroup},
	{name: "lost wake-up", shows: "waits for a `sync.Cond` whose signal came before", kind: tracker.KindRows, known: atThreshold,
		proven: backends, where: "is blocked for ever (sync.Cond.Wait) in", plant: lostWakeUp},
	{name: "panic in scan", shows: "a Scanner panics: since Go 1.24.6 the deferred `rows.Close` waits for it for ever", kind: tracker.KindRows, known: atThreshold, locks: true,
		proven: backends, where: "is blocked for ever (sync.", plant: panicInScan},
	{name: "panic in the scan of a row", shows: "the same by `QueryRow().Scan`", kind: tracker.KindRow, known: atThreshold, locks: true,
		proven: backends, where: "is blocked for ever (sync.", plant: panicInRowScan},
	{name: "cancelled over raw bytes", shows: "a `sql.RawBytes` was scanned: the context's end waits for a Close that never comes", kind: tracker.KindRows, known: atThreshold, locks: true,
		proven: backends, plant: cancelledOverRawBytes},
	{name: "conn waits for its rows", shows: "the deferred Close of a Conn waits for rows that are dropped", kind: tracker.KindRows, known: atNextGC, locks: true, plant: connWaitsForRows},
}

// rowsKept forgets rows in something that lives on.
func rowsKept(a *app) error {
	rows, err := a.db.Query("SELECT id FROM item") // place: rows kept
	if err != nil {
		return err
	}
	rows.Next()
	a.leftovers = append(a.leftovers, rows.Close)
	return rows.Err()
}

func finalizerInRing(a *app) error {
	type node struct {
		next *node
		rows *sql.Rows
	}
	rows, err := a.loseRows(a.db.Query("SELECT id FROM item")) // place: finalizer in a ring
	if err != nil {
		return err
	}
	first := &node{rows: rows}
	first.next = &node{next: first}
	runtime.SetFinalizer(first, func(n *node) { n.rows.Close() })
	return nil
}

func iteratorNotStopped(a *app) error {
	next, stop := iter.Pull(func(yield func(int) bool) {
		rows, err := a.db.Query("SELECT id FROM item") // place: iterator not stopped
		if err != nil {
			return
		}
		defer rows.Close()
		for rows.Next() && yield(1) {
		}
	})
	if _, ok := next(); !ok {
		return errors.New("no rows")
	}
	a.leftovers = append(a.leftovers, func() error {
		stop()
		return nil
	})
	return nil
}

func deferInLoop(a *app) error {
	jobs, ready := make(chan int), make(chan bool)
	a.spawn(func() error {
		defer close(ready)
		for id := range jobs {
			rows, err := a.db.Query(a.bind("SELECT id FROM item WHERE id > ?"), id) // place: defer in a loop
			if err != nil {
				return err
			}
			defer rows.Close()
			rows.Next()
			ready <- true
		}
		return nil
	})
	for id := range 3 {
		jobs <- id
		<-ready
	}
	context.AfterFunc(a.ctx, func() { close(jobs) })
	return nil
}

// queryInsideRows is a deadlock: what the loop needs, the rows have.
func queryInsideRows(a *app) error {
	a.db.SetMaxOpenConns(1)
	a.spawn(func() error {
		rows, err := a.db.Query("SELECT id FROM item") // place: query inside rows
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int
			if err := rows.Scan(&id); err != nil {
				return err
			}
			if _, err := a.db.ExecContext(a.ctx, a.bind("UPDATE item SET price = 0 WHERE id = ?"), id); err != nil {
				return onlyCanceled(err)
			}
		}
		return rows.Err()
	})
	return nil
}

// onlyCanceled passes any error but the one that the end of the program's
// context gives to those who still wait.
func onlyCanceled(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

func slowConsumer(a *app) error {
	out, first := make(chan int), make(chan bool)
	a.spawn(func() error {
		rows, err := a.db.Query("SELECT id FROM item") // place: slow consumer
		if err != nil {
			close(first)
			return err
		}
		defer rows.Close()
		close(first)
		for rows.Next() {
			select {
			case out <- 1:
			case <-a.ctx.Done():
				return nil
			}
		}
		return rows.Err()
	})
	<-first
	return nil
}

func resultAfterTimeout(a *app) error {
	type request struct{ result chan *sql.Rows }
	r := &request{make(chan *sql.Rows)}
	free(a, r, func(r *request) { (<-r.result).Close() })
	return inGoroutine(a, func(opened func()) {
		rows, err := a.db.Query("SELECT id FROM item") // place: result after a timeout
		if err != nil {
			return
		}
		opened()
		r.result <- rows
		runtime.KeepAlive(r)
	})
}

func lostWakeUp(a *app) error {
	cond := sync.NewCond(new(sync.Mutex))
	free(a, cond, (*sync.Cond).Broadcast)
	cond.Signal()
	return inGoroutine(a, func(opened func()) {
		rows, err := a.db.Query("SELECT id FROM item") // place: lost wake-up
		if err != nil {
			return
		}
		defer rows.Close()
		opened()
		cond.L.Lock()
		defer cond.L.Unlock()
		cond.Wait()
	})
}
