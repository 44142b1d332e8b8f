package compat

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// blocked is a call that the server answers when it likes: never, where the
// query is the backend's endless one.
type blocked struct {
	name string
	// kinds are those of the handles that a report may show meanwhile:
	// drivers differ in whether they wait in a query or in its rows.
	kinds []tracker.Kind
	run   func(ctx context.Context, a *app) error
}

var (
	beforeRows = []tracker.Kind{tracker.KindConn, tracker.KindRows, tracker.KindRow}
	onStmt     = []tracker.Kind{tracker.KindConn, tracker.KindRows, tracker.KindStmt}
	onConn     = []tracker.Kind{tracker.KindConn}
	inTx       = []tracker.Kind{tracker.KindTx}
)

var blockedCalls = []blocked{
	{"query", beforeRows, func(ctx context.Context, a *app) error {
		rows, err := a.db.QueryContext(ctx, a.endless)
		return drained(rows, err)
	}},
	{"row", beforeRows, func(ctx context.Context, a *app) error {
		return a.db.QueryRowContext(ctx, a.endless).Scan(new(any))
	}},
	{"exec", onConn, func(ctx context.Context, a *app) error {
		_, err := a.db.ExecContext(ctx, a.endless)
		return err
	}},
	{"statement", onStmt, func(ctx context.Context, a *app) error {
		stmt, err := a.db.PrepareContext(ctx, a.endless)
		if err != nil {
			return err
		}
		rows, err := stmt.QueryContext(ctx)
		return errors.Join(drained(rows, err), stmt.Close())
	}},
	{"exec on a conn", onConn, func(ctx context.Context, a *app) error {
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
	{"query in a transaction", inTx, func(ctx context.Context, a *app) error {
		tx, err := a.db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		rows, err := tx.QueryContext(ctx, a.endless)
		return drained(rows, err)
	}},
	{"exec in a transaction of the context", inTx, func(ctx context.Context, a *app) error {
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

// A call that takes long is shown as being in the driver, and is not overdue,
// however long. When its context ends, nothing is left of it.
func TestLongCalls(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, c := range blockedCalls {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.test(t, b)
			})
		}
	})
}

func (c blocked) test(t *testing.T, b *backend) {
	const short = 10 * time.Millisecond
	a := newApp(t, b,
		tracker.WithKindThreshold(tracker.KindConn, short),
		tracker.WithKindThreshold(tracker.KindTx, short),
		tracker.WithKindThreshold(tracker.KindRows, short))
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	a.spawn(func() error {
		if err := c.run(ctx, a); err == nil {
			return errors.New("a query without end came to one")
		}
		return nil
	})
	a.stillIn(c.kinds...)
	cancel()
	a.tasks.Wait()
	a.verify()
}

// stillIn waits until a call has lasted for several sweeps, and checks what
// they made of it. Only now: on a slow machine, what comes next may well take
// longer than the threshold.
func (a *app) stillIn(kinds ...tracker.Kind) {
	a.t.Helper()
	var f tracker.Finding
	eventually(a.t, "a call lasts long", func() bool {
		for _, f = range a.tracker.Snapshot().Open {
			if f.Busy != "" && f.Age > 600*time.Millisecond {
				return true
			}
		}
		return false
	})
	if !slices.Contains(kinds, f.Kind) {
		a.t.Errorf("a %v is in the driver, want %v:\n%s", f.Kind, kinds, f)
	}
	a.wantSilence()
}

// A statement that waits for the lock of another transaction is in the driver,
// too. The other one is held on purpose.
func TestLockWait(t *testing.T) {
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		t.Parallel()
		a := newApp(t, b, tracker.WithKindThreshold(tracker.KindTx, 10*time.Millisecond))
		update := a.bind("UPDATE item SET price = price + 1 WHERE id = ?")
		holder, err := a.db.BeginTx(tracker.LongLived(a.ctx, "the test has the lock"), nil)
		a.must(err)
		_, err = holder.Exec(update, items)
		a.must(err)
		a.spawn(func() error {
			tx, err := a.db.Begin()
			if err != nil {
				return err
			}
			defer tx.Rollback()
			_, err = tx.Exec(update, items)
			return err
		})
		a.stillIn(tracker.KindTx)
		a.must(holder.Rollback())
		a.verify()
	})
}
