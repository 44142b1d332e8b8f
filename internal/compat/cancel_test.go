package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// blockedCalls are calls that the server answers when their context ends. Each
// has a connection, and a transaction if it says so.
var blockedCalls = []struct {
	name string
	inTx bool
	run  func(ctx context.Context, a *app) error
}{
	{"query", false, func(ctx context.Context, a *app) error {
		rows, err := a.db.QueryContext(ctx, a.endless)
		return drained(rows, err)
	}},
	{"row", false, func(ctx context.Context, a *app) error {
		return a.db.QueryRowContext(ctx, a.endless).Scan(new(any))
	}},
	{"exec", false, func(ctx context.Context, a *app) error {
		_, err := a.db.ExecContext(ctx, a.endless)
		return err
	}},
	{"statement", false, func(ctx context.Context, a *app) error {
		stmt, err := a.db.PrepareContext(ctx, a.endless)
		if err != nil {
			return err
		}
		rows, err := stmt.QueryContext(ctx)
		return errors.Join(drained(rows, err), stmt.Close())
	}},
	{"exec on a conn", false, func(ctx context.Context, a *app) error {
		conn, err := a.db.Conn(ctx)
		if err != nil {
			return err
		}
		_, err = conn.ExecContext(ctx, a.endless)
		if err := conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
			return err // the driver may have given it up
		}
		return err
	}},
	{"query in a transaction", true, func(ctx context.Context, a *app) error {
		tx, err := a.db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		rows, err := tx.QueryContext(ctx, a.endless)
		return drained(rows, err)
	}},
	{"exec in a transaction of the context", true, func(ctx context.Context, a *app) error {
		tx, err := a.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		_, err = tx.ExecContext(ctx, a.endless)
		return err
	}},
}

// drained reads rows to the end: some drivers wait there and not before.
func drained(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// longThreshold is how long a program may take between two calls, on a slow
// machine, without being called overdue. Calls last for longer.
const longThreshold = time.Second

func newLongApp(t *testing.T, b *backend) *app {
	return newApp(t, b,
		tracker.WithKindThreshold(tracker.KindConn, longThreshold),
		tracker.WithKindThreshold(tracker.KindTx, longThreshold),
		tracker.WithKindThreshold(tracker.KindRows, longThreshold))
}

// A call that takes long is shown as being in the driver, and is not overdue,
// however long. When its context ends, nothing is left of it.
func TestLongCalls(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		t.Parallel()
		a := newLongApp(t, b)
		ctx, cancel := context.WithCancel(a.ctx)
		defer cancel()
		txs := 0
		for _, c := range blockedCalls {
			if c.inTx {
				txs++
			}
			a.spawn(func() error {
				if err := c.run(ctx, a); err == nil {
					return fmt.Errorf("%s: a query without end came to one", c.name)
				}
				return nil
			})
		}
		a.wantInDriver(len(blockedCalls), txs)
		cancel()
		a.tasks.Wait()
		a.verify()
	})
}

// A statement that waits for the lock of another transaction is in the driver,
// too. The other one is held on purpose.
func TestLockWait(t *testing.T) {
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		t.Parallel()
		a := newLongApp(t, b)
		update := a.bind("UPDATE item SET price = price + 1 WHERE id = ?")
		holder, err := a.db.BeginTx(tracker.LongLived(a.ctx, "the test has the lock"), nil)
		a.must(err)
		id := items - slices.Index(backends, b) // they may share a server
		_, err = holder.Exec(update, id)
		a.must(err)
		a.spawn(func() error {
			tx, err := a.db.Begin()
			if err != nil {
				return err
			}
			defer tx.Rollback()
			_, err = tx.Exec(update, id)
			return err
		})
		a.wantInDriver(1, 1)
		a.must(holder.Rollback())
		a.verify()
	})
}

// wantInDriver waits until calls of so many lines, so many of them in
// transactions, have lasted for longer than the threshold, and checks what the
// tracker made of it. Only now: what comes next may well be slow.
func (a *app) wantInDriver(calls, txs int) {
	a.t.Helper()
	gotTxs := 0
	eventually(a.t, "all calls last long", func() bool {
		got := 0
		gotTxs = 0
		for _, f := range a.tracker.Snapshot().Open {
			// A statement shows what its connection does, too.
			if f.Kind == tracker.KindStmt || f.Busy == "" || f.Age < 2*longThreshold {
				continue
			}
			got++
			if f.Kind == tracker.KindTx {
				gotTxs++
			}
		}
		return got == calls
	})
	if gotTxs != txs {
		a.t.Errorf("%d of the calls are in transactions, want %d", gotTxs, txs)
	}
	a.wantSilence()
}
