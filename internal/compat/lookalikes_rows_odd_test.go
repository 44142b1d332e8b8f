package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// rowsOddLookalikes close their rows in less usual ways.
var rowsOddLookalikes = []lookalike{
	{name: "loop that breaks out of an iterator", shows: "an `iter.Seq` over rows closes them by `defer`", run: func(a *app) error {
		for id, err := range idsClosed(a) {
			if err != nil || id == 2 {
				return err
			}
		}
		return errors.New("the loop came to its end")
	}},
	{name: "iterator that is stopped", shows: "`iter.Pull`, and `stop` before the end", run: func(a *app) error {
		next, stop := iter.Pull2(idsClosed(a))
		defer stop()
		_, err, _ := next()
		a.stays(tracker.DefaultThreshold / 2)
		return err
	}},
	{name: "panic with a deferred close", shows: "a panic between Query and the deferred Close", run: func(a *app) (err error) {
		defer func() {
			if recover() == nil {
				err = errors.New("no panic")
			}
		}()
		rows, err := a.db.Query("SELECT id FROM item")
		if err != nil {
			return err
		}
		defer rows.Close()
		panic("before the end")
	}},
	{name: "goroutine that exits with a deferred close", shows: "`runtime.Goexit`, as by `t.FailNow`, runs what is deferred", run: func(a *app) (err error) {
		finished(func() {
			var rows *sql.Rows
			if rows, err = a.db.Query("SELECT id FROM item"); err != nil {
				return
			}
			defer rows.Close()
			runtime.Goexit()
		})
		return err
	}},
	{name: "closed twice", shows: "Close, and a deferred Close", run: func(a *app) error {
		rows, err := a.db.Query("SELECT id FROM item")
		if err != nil {
			return err
		}
		defer rows.Close()
		rows.Next()
		return rows.Close()
	}},
	{name: "second result set read", shows: "two result sets, both to their end, no Close", on: []*backend{mysqlBackend, pqBackend}, run: func(a *app) error {
		rows, err := a.db.Query(a.twoResults())
		if err != nil {
			return err
		}
		for sets := 1; ; sets++ {
			for rows.Next() {
			}
			if !rows.NextResultSet() {
				if sets != 2 {
					return fmt.Errorf("%d result sets", sets)
				}
				return rows.Err()
			}
		}
	}},
	{name: "rows of a deadline", shows: "no Close, but the context's deadline passes", run: func(a *app) error {
		ctx, cancel := context.WithTimeout(context.Background(), spell)
		_ = cancel
		rows, err := a.db.QueryContext(ctx, "SELECT id FROM item")
		if err == nil {
			rows.Next()
		}
		return err
	}},
	{name: "rows of a group", shows: "no Close, but another task of the `errgroup` fails, which ends the context", run: func(a *app) error {
		group, ctx := errgroup.WithContext(a.ctx)
		failed := errors.New("another task")
		group.Go(func() error {
			rows, err := a.db.QueryContext(ctx, "SELECT id FROM item")
			if err != nil {
				return err
			}
			rows.Next()
			return failed
		})
		if err := group.Wait(); !errors.Is(err, failed) {
			return err
		}
		return nil
	}},
	{name: "handed over a channel", shows: "a consumer gets the rows and closes them", run: func(a *app) error {
		handed := make(chan *sql.Rows)
		a.spawn(func() error { return count(<-handed, nil) })
		rows, err := a.db.Query("SELECT id FROM item")
		if err != nil {
			close(handed)
			return err
		}
		handed <- rows
		return nil
	}},
	{name: "closed by their owner", shows: "a struct with the rows, whose Close closes them", run: func(a *app) error {
		rows, err := a.db.Query("SELECT id FROM item")
		if err != nil {
			return err
		}
		var owner io.Closer = &ownedRows{rows}
		a.stays(tracker.DefaultThreshold / 2)
		return owner.Close()
	}},
	{name: "closed by the end of a context", shows: "`context.AfterFunc` closes rows of another context", run: func(a *app) error {
		ctx, cancel := context.WithCancel(a.ctx)
		rows, err := a.db.Query("SELECT id FROM item")
		if err != nil {
			cancel()
			return err
		}
		context.AfterFunc(ctx, func() { rows.Close() })
		time.AfterFunc(spell, cancel)
		return nil
	}},
	{name: "closed once", shows: "`sync.OnceFunc(rows.Close)`, called by several", run: func(a *app) error {
		rows, err := a.db.Query("SELECT id FROM item")
		if err != nil {
			return err
		}
		closeRows := sync.OnceValue(rows.Close)
		for range 3 {
			a.spawn(closeRows)
		}
		return nil
	}},
	{name: "raw bytes", shows: "`sql.RawBytes` scanned, then Close", run: func(a *app) error {
		ctx, cancel := context.WithCancel(a.ctx)
		defer cancel()
		rows, err := a.db.QueryContext(ctx, "SELECT name FROM item")
		if err != nil {
			return err
		}
		defer rows.Close()
		var raw sql.RawBytes
		rows.Next()
		return rows.Scan(&raw)
	}},
	{name: "raw bytes, cancelled", shows: "the context ends over raw bytes; Close follows", run: func(a *app) error {
		ctx, cancel := context.WithCancel(a.ctx)
		rows, err := a.db.QueryContext(ctx, "SELECT name FROM item")
		if err != nil {
			cancel()
			return err
		}
		var raw sql.RawBytes
		rows.Next()
		err = rows.Scan(&raw)
		cancel()
		_ = rows.Close()
		return err
	}},
	{name: "query that fails", shows: "bad SQL, by Query, QueryRow and Prepare: there is nothing to close", run: func(a *app) error {
		_, err := a.db.Query("SELECT nothing FROM nowhere")
		row := a.db.QueryRow("SELECT nothing FROM nowhere")
		if err == nil || row.Err() == nil {
			return errors.New("there is something to close")
		}
		return nil
	}},
	{name: "cancelled in mid-stream", shows: "the context of many rows ends while they are read", run: func(a *app) error {
		ctx, cancel := context.WithCancel(a.ctx)
		defer cancel()
		rows, err := a.db.QueryContext(ctx, "SELECT a.id FROM item a, item b, item c")
		if err != nil {
			return err
		}
		for n := 0; rows.Next(); n++ {
			if n == 1000 {
				cancel()
			}
		}
		return onlyCanceled(rows.Err())
	}},
	{name: "nested, in a pool of two", shows: "a query for each row, on a second connection", run: func(a *app) error {
		a.db.SetMaxOpenConns(2)
		rows, err := a.db.Query("SELECT id FROM item WHERE id < 10")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int
			if err := rows.Scan(&id); err != nil {
				return err
			}
			if err := a.db.QueryRow(a.bind("SELECT name FROM item WHERE id = ?"), id).Scan(new(string)); err != nil {
				return err
			}
		}
		return rows.Err()
	}},
}

// ownedRows are rows with an owner.
type ownedRows struct{ rows *sql.Rows }

// Close closes the rows.
func (o *ownedRows) Close() error { return o.rows.Close() }

func idsClosed(a *app) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		rows, err := a.db.Query("SELECT id FROM item ORDER BY id")
		if err != nil {
			yield(0, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var id int
			if err := rows.Scan(&id); !yield(id, err) {
				return
			}
		}
	}
}
