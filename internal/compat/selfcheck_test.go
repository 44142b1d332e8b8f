package compat

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// The self-check is that many goroutines with that many operations each, between
// which they look for leaks that many times.
const (
	workers    = 8
	operations = 10_000
	audits     = 20
)

// A busy program that does all that database/sql can do, with errors,
// cancellations and panics, and gives everything back, leaves nothing in the
// tracker: no record, no finding, no goroutine.
func TestSelfCheck(t *testing.T) {
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		before := goleak.IgnoreCurrent()
		a := newApp(t, b)
		a.db.SetMaxOpenConns(workers - 2) // some have to wait
		a.db.SetMaxIdleConns(workers - 3) // some are closed
		stmt, err := a.db.Prepare(a.bind("SELECT name FROM item WHERE id = ?"))
		a.must(err)
		n := operations
		if b == pqBackend { // the server has been through it with pgx
			n /= 5
		}
		var running sync.WaitGroup
		for i := range workers {
			running.Go(func() { work(a, stmt, i, n) })
		}
		running.Wait()
		a.must(stmt.Close())
		a.wantQuiet()
		a.wantSilence()
		for _, f := range a.tracker.Snapshot().Open {
			if f.Kind != tracker.KindDB {
				t.Errorf("still open:\n%s", f)
			}
		}
		a.verify()
		a.conns.closeAll()
		eventually(t, "no goroutine is left", func() bool { return goleak.Find(before) == nil })
	})
}

// worker is one of the program's goroutines.
type worker struct {
	*app
	id   int // also of the row that is its own to write
	rand *rand.Rand
	stmt *sql.Stmt // shared by all
}

func work(a *app, stmt *sql.Stmt, id, n int) {
	w := &worker{app: a, id: id + 1, rand: rand.New(rand.NewPCG(1, uint64(id))), stmt: stmt}
	for i := range n {
		if i%(n/audits) == 0 {
			w.audit()
		}
		if err := w.attempt(workerOps[w.rand.IntN(len(workerOps))]); err != nil {
			a.t.Error(err)
			return
		}
	}
}

// workerOps are the operations, each as often as it weighs.
var workerOps = func() (all []func(*worker, context.Context) error) {
	for _, op := range []struct {
		weight int
		run    func(*worker, context.Context) error
	}{
		{20, (*worker).readRows}, {20, (*worker).readRow}, {10, (*worker).readByStmt}, {10, (*worker).exec},
		{10, (*worker).transaction}, {5, (*worker).prepare}, {5, (*worker).useConn}, {5, (*worker).ping},
		{7, (*worker).badQuery}, {1, (*worker).badConn},
	} {
		for range op.weight {
			all = append(all, op.run)
		}
	}
	return all
}()

// audit asks for proofs of leaks, garbage collection and all, while the other
// goroutines work. Handles are open; none is lost.
func (w *worker) audit() {
	var test fakeTB
	w.tracker.AssertNoLeaks(&test, tracker.Grace(0))
	if strings.Contains(test.log, string(tracker.ProofUnreachable)) || strings.Contains(test.log, string(tracker.ProofGoroutineLeak)) {
		w.t.Errorf("proven, though it isn't so:\n%s", test.log)
	}
}

var errRandom = errors.New("random")

// attempt runs an operation, some of them with a context that ends early, and
// accepts the errors that it asked for.
func (w *worker) attempt(op func(*worker, context.Context) error) (err error) {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	ends := w.one(100)
	if ends {
		if w.one(2) {
			cancel()
		} else {
			go cancel()
		}
	}
	defer func() {
		if r := recover(); r != nil && r != errRandom {
			panic(r)
		}
	}()
	err = op(w, ctx)
	switch {
	case errors.Is(err, errRandom), ends, errors.Is(err, driver.ErrBadConn):
		return nil
	}
	return err
}

// one is true once in n times.
func (w *worker) one(n int) bool { return w.rand.IntN(n) == 0 }

// trouble fails or panics now and then.
func (w *worker) trouble() error {
	switch {
	case w.one(50):
		panic(errRandom)
	case w.one(50):
		return errRandom
	}
	return nil
}

func (w *worker) readRows(ctx context.Context) error {
	rows, err := w.db.QueryContext(ctx, w.bind("SELECT id, name FROM item WHERE id > ? ORDER BY id"), items-w.rand.IntN(10))
	if err != nil {
		return err
	}
	defer rows.Close()
	return w.scanSome(rows)
}

func (w *worker) scanSome(rows *sql.Rows) error {
	for rows.Next() {
		var id int
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return err
		}
		if err := w.trouble(); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (w *worker) readRow(ctx context.Context) error {
	id := w.rand.IntN(items + 10)
	var name string
	err := w.db.QueryRowContext(ctx, fmt.Sprintf("SELECT name FROM item WHERE id = %d", id)).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) && (id < 1 || id > items) {
		return nil
	}
	return err
}

func (w *worker) readByStmt(ctx context.Context) error {
	return w.stmt.QueryRowContext(ctx, w.id).Scan(new(string))
}

func (w *worker) exec(ctx context.Context) error {
	_, err := w.db.ExecContext(ctx, w.bind("UPDATE item SET price = ? WHERE id = ?"), w.rand.IntN(1000), w.id)
	return err
}

func (w *worker) transaction(ctx context.Context) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if w.one(5) {
		// The transaction would close it, but not if its connection breaks:
		// then database/sql (Go 1.27) keeps w.stmt open for good.
		stmt := tx.StmtContext(ctx, w.stmt)
		defer stmt.Close()
		if err := stmt.QueryRowContext(ctx, w.id).Scan(new(string)); err != nil {
			return err
		}
	}
	rows, err := tx.QueryContext(ctx, w.bind("SELECT id, name FROM item WHERE id > ? ORDER BY id"), items-3)
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := w.scanSome(rows); err != nil || w.one(5) {
		return err
	}
	if _, err := tx.ExecContext(ctx, w.bind("UPDATE item SET price = price + 1 WHERE id = ?"), w.id); err != nil {
		return err
	}
	if err := w.trouble(); err != nil {
		return err
	}
	return tx.Commit()
}

func (w *worker) prepare(ctx context.Context) error {
	stmt, err := w.db.PrepareContext(ctx, w.bind("SELECT id, name FROM item WHERE id > ? ORDER BY id"))
	if err != nil {
		return err
	}
	defer stmt.Close()
	rows, err := stmt.QueryContext(ctx, items-2)
	if err != nil {
		return err
	}
	defer rows.Close()
	if w.one(2) {
		stmt.Close() // while it is busy
	}
	return w.scanSome(rows)
}

func (w *worker) useConn(ctx context.Context) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	rows, err := conn.QueryContext(ctx, "SELECT id, name FROM item WHERE id < 3 ORDER BY id")
	if err != nil {
		return err
	}
	defer rows.Close()
	return w.scanSome(rows)
}

func (w *worker) ping(ctx context.Context) error { return w.db.PingContext(ctx) }

func (w *worker) badQuery(ctx context.Context) error {
	rows, err := w.db.QueryContext(ctx, "SELECT nothing FROM nowhere")
	if err == nil {
		return errors.Join(errors.New("a query of nothing has rows"), rows.Close())
	}
	return nil
}

// badConn has the pool close a connection, and open another if somebody waits.
func (w *worker) badConn(ctx context.Context) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(any) error {
		if w.one(2) {
			panic(errRandom)
		}
		return driver.ErrBadConn
	})
}
