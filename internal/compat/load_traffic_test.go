package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"
)

// traffic is what a busy and innocent program does: its goroutines work on a
// pool that is smaller than they are many, with a server that is slow now and
// then, and ends sessions.
type traffic struct {
	*app
	admin *sql.DB
	stmt  *sql.Stmt // shared by all
	// done and failed count operations. Many fail: that is how it goes where
	// sessions are ended and contexts cancelled.
	done, failed atomic.Int64
}

// loadWorkers is the number of its goroutines.
const loadWorkers = 200

// A goroutine thinks for up to this long between two operations, and holds on
// to a handle for up to this long.
const (
	maxThought = 300 * time.Millisecond
	maxHold    = time.Second
)

// run does the traffic until the context ends. The rows that it writes are no
// other test's.
func (tr *traffic) run(ctx context.Context) {
	for i := range loadWorkers {
		tr.spawn(func() error {
			w := &loader{traffic: tr, worker: worker{app: tr.app, id: 10 + i%40, rand: rand.New(rand.NewPCG(2, uint64(i))), stmt: tr.stmt}}
			for ctx.Err() == nil {
				w.operate(ctx)
				w.wait(ctx, maxThought)
			}
			return nil
		})
	}
}

// loader is one of its goroutines.
type loader struct {
	*traffic
	worker worker
}

// loads are the operations that only the load test has.
var loads = []func(*loader, context.Context) error{
	(*loader).stream, (*loader).stream, (*loader).slowQuery, (*loader).slowQuery, (*loader).hold, (*loader).hold,
	(*loader).dropRows, (*loader).dropTx, (*loader).contend, (*loader).contend, (*loader).exit, (*loader).inScope,
	(*loader).killed,
}

// operate runs an operation, some with a context that ends in the middle.
func (w *loader) operate(ctx context.Context) {
	var cancel context.CancelFunc
	switch {
	case w.worker.one(5):
		ctx, cancel = context.WithTimeout(ctx, w.some(200*time.Millisecond))
	default:
		ctx, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	op := func(ctx context.Context) error { return loads[w.worker.rand.IntN(len(loads))](w, ctx) }
	if w.worker.one(2) {
		op = func(ctx context.Context) error {
			return workerOps[w.worker.rand.IntN(len(workerOps))](&w.worker, ctx)
		}
	}
	if err := survive(ctx, op); err != nil {
		w.failed.Add(1)
		return
	}
	w.done.Add(1)
}

// survive makes a panic an error, as a server does for its requests.
func survive(ctx context.Context, op func(context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return op(ctx)
}

// some is a time up to the limit.
func (w *loader) some(limit time.Duration) time.Duration {
	return time.Duration(w.worker.rand.Int64N(int64(limit)))
}

// wait waits for some time up to the limit.
func (w *loader) wait(ctx context.Context, limit time.Duration) {
	timer := time.NewTimer(w.some(limit))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// stream reads many rows, slowly, and often not to the end.
func (w *loader) stream(ctx context.Context) error {
	rows, err := w.db.QueryContext(ctx, "SELECT a.id FROM item a, item b")
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		if n%500 == 0 {
			w.wait(ctx, maxHold/10)
		}
		if w.worker.one(3000) {
			return nil
		}
	}
	return rows.Err()
}

// slowQuery has the server take its time.
func (w *loader) slowQuery(ctx context.Context) error {
	_, err := w.db.ExecContext(ctx, w.slow(w.some(maxHold)))
	return err
}

// hold has a transaction with rows, or a Conn, and does nothing with it for a
// while.
func (w *loader) hold(ctx context.Context) error {
	if w.worker.one(2) {
		conn, err := w.db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		w.wait(ctx, maxHold)
		return conn.PingContext(ctx)
	}
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	rows, err := tx.QueryContext(ctx, "SELECT id FROM item")
	if err != nil {
		return err
	}
	rows.Next()
	w.wait(ctx, maxHold)
	return errors.Join(rows.Close(), tx.Commit())
}

// dropRows leaves rows to the end of their context.
func (w *loader) dropRows(ctx context.Context) error {
	rows, err := w.db.QueryContext(ctx, "SELECT id FROM item")
	if err != nil {
		return err
	}
	rows.Next()
	return nil
}

// dropTx leaves a transaction to the end of its context.
func (w *loader) dropTx(ctx context.Context) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "SELECT 1")
	return err
}

// contend has a row that everybody wants locked for a while.
func (w *loader) contend(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, maxHold)
	defer cancel()
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, w.bind("UPDATE item SET price = price + 1 WHERE id = ?"), 1+w.worker.rand.IntN(3)); err != nil {
		return err
	}
	w.wait(ctx, maxHold/20)
	return tx.Commit()
}

// exit ends a goroutine that has deferred what is to be done.
func (w *loader) exit(ctx context.Context) (err error) {
	finished(func() {
		var rows *sql.Rows
		if rows, err = w.db.QueryContext(ctx, "SELECT id FROM item"); err != nil {
			return
		}
		defer rows.Close()
		runtime.Goexit()
	})
	return err
}

// inScope does the work of a request.
func (w *loader) inScope(ctx context.Context) error {
	ctx, end := w.tracker.Scope(ctx, "request")
	defer end()
	return errors.Join(w.worker.transaction(ctx), w.worker.readRow(ctx))
}

// killed has its session ended by the server in the middle of a transaction,
// now and then.
func (w *loader) killed(ctx context.Context) error {
	if !w.worker.one(10) {
		return w.worker.ping(ctx)
	}
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var session int
	if err := tx.QueryRowContext(ctx, w.session).Scan(&session); err != nil {
		return err
	}
	if _, err := w.admin.ExecContext(ctx, fmt.Sprintf(w.backend.kill, session)); err != nil {
		return err
	}
	_, _ = tx.ExecContext(ctx, "SELECT 1")
	_ = tx.Commit()
	return nil
}
