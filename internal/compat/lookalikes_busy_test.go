package compat

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// busyLookalikes are held for long, for a reason.
var busyLookalikes = []lookalike{
	{name: "long query", shows: "the server takes its time over a query in a transaction", listed: asBusy, waits: true, run: func(a *app) error {
		ctx, cancel := context.WithCancel(a.ctx)
		a.spawn(func() error {
			tx, err := a.db.Begin() // place: long query
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.ExecContext(ctx, a.endless); err == nil {
				return errors.New("an endless query has ended")
			}
			return nil
		})
		a.awaitBusy(1)
		a.stays(time.Hour)
		a.wantOpen(tracker.KindTx, "long query")
		cancel()
		return nil
	}},
	{name: "waits for the lock of a row", shows: "a statement waits until another transaction ends", on: serverBackends, waits: true, run: func(a *app) error {
		update := a.bind("UPDATE item SET price = price WHERE id = ?")
		id := items/2 + 10 + slices.Index(backends, a.backend)
		first, err := a.db.Begin()
		if err != nil {
			return err
		}
		defer first.Rollback()
		if _, err := first.Exec(update, id); err != nil {
			return err
		}
		a.spawn(func() error {
			second, err := a.db.Begin()
			if err != nil {
				return err
			}
			defer second.Rollback()
			_, err = second.Exec(update, id)
			return err
		})
		a.awaitBusy(1)
		a.stays(time.Hour)
		return nil
	}},
	{name: "held on purpose", shows: "a Conn with `tracker.LongLived`: it has a lock, or listens", listed: asPurpose, run: heldOnPurpose},
	{name: "transaction held on purpose", shows: "a snapshot that is exported, with `tracker.LongLived`", listed: asPurpose, run: func(a *app) error {
		tx, err := a.db.BeginTx(tracker.LongLived(context.Background(), "exports a snapshot"), nil) // place: transaction held on purpose
		if err != nil {
			return err
		}
		a.stays(2 * time.Hour)
		a.wantOpen(tracker.KindTx, "transaction held on purpose")
		return tx.Commit()
	}},
	{name: "rows held on purpose", shows: "a change feed, with `tracker.LongLived`", listed: asPurpose, run: func(a *app) error {
		rows, err := a.db.QueryContext(tracker.LongLived(context.Background(), "follows changes"), "SELECT id FROM item") // place: rows held on purpose
		if err != nil {
			return err
		}
		a.stays(2 * time.Hour)
		a.wantOpen(tracker.KindRows, "rows held on purpose")
		return rows.Close()
	}},
	{name: "threshold of the context", shows: "`tracker.WithThreshold` gives it an hour", listed: asOpen, run: func(a *app) error {
		rows, err := a.db.QueryContext(tracker.WithThreshold(context.Background(), time.Hour), "SELECT id FROM item") // place: threshold of the context
		if err != nil {
			return err
		}
		a.stays(50 * time.Minute)
		a.wantOpen(tracker.KindRows, "threshold of the context")
		return rows.Close()
	}},
	{name: "threshold of the site", shows: "`tracker.WithSiteThreshold` gives the line an hour", listed: asOpen, run: func(a *app) error {
		a.must(a.tracker.Configure(tracker.WithSiteThreshold(`lookalikes_busy_test\.go`, time.Hour)))
		tx, err := a.db.Begin() // place: threshold of the site
		if err != nil {
			return err
		}
		a.stays(50 * time.Minute)
		a.wantOpen(tracker.KindTx, "threshold of the site")
		return tx.Rollback()
	}},
	{name: "kind without a threshold", shows: "`tracker.WithKindThreshold(conn, 0)`", listed: asOpen, run: func(a *app) error {
		a.must(a.tracker.Configure(tracker.WithKindThreshold(tracker.KindConn, 0)))
		conn, err := a.db.Conn(a.ctx) // place: kind without a threshold
		if err != nil {
			return err
		}
		a.stays(time.Hour)
		a.wantOpen(tracker.KindConn, "kind without a threshold")
		return conn.Close()
	}},
	{name: "just below the threshold", shows: "used once more just before it is overdue", listed: asOpen, run: func(a *app) error {
		rows, err := a.db.Query("SELECT id FROM item") // place: just below the threshold
		if err != nil {
			return err
		}
		defer rows.Close()
		for range 3 {
			a.stays(tracker.DefaultThreshold - time.Second)
			a.wantOpen(tracker.KindRows, "just below the threshold")
			rows.Next()
		}
		return rows.Err()
	}},
}

// heldOnPurpose says why it keeps what it keeps: a report lists it, and nobody
// is alarmed.
func heldOnPurpose(a *app) error {
	ctx := tracker.LongLived(a.ctx, "holds the lock")
	conn, err := a.db.Conn(ctx) // place: held on purpose
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "SELECT 1"); err != nil {
		return err
	}
	a.stays(2 * time.Hour)
	f := a.wantOpen(tracker.KindConn, "held on purpose")
	if f.LongLived != "holds the lock" {
		a.t.Errorf("the reason is %q", f.LongLived)
	}
	a.tracker.AssertNoLeaks(a.t)
	return conn.Close()
}

// awaitBusy waits until so many handles are in a driver call.
func (a *app) awaitBusy(n int) {
	a.t.Helper()
	eventually(a.t, "the server has the call", func() bool {
		busy := 0
		for _, f := range a.tracker.Snapshot().Open {
			if f.Busy != "" && f.Busy != "begin" {
				busy++
			}
		}
		return busy >= n
	})
}
