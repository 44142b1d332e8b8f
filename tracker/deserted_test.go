package tracker_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestDeserted: a handle that is still open when its context has been over for
// a second is overdue, whatever its threshold; but not one that was meant to
// outlive the context.
func TestDeserted(t *testing.T) {
	exec := func(t *testing.T, ctx context.Context, conn *sql.Conn) {
		t.Helper()
		must[sql.Result](t)(conn.ExecContext(ctx, "insert"))
	}
	type request struct {
		context.Context
		end context.CancelFunc
	}
	for _, tt := range []struct {
		name string
		// hold opens something in the request, ends it perhaps, and returns
		// what gives back what is open still.
		hold func(t *testing.T, db *sql.DB, r request) (giveBack func() error)
		want string // kind; "" for silence
	}{
		{"a connection that was used in the request", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			exec(t, r, conn)
			r.end()
			return conn.Close
		}, "conn"},
		{"a connection that was swept before the request ended", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			exec(t, r, conn)
			pass(6 * time.Second)
			r.end()
			return conn.Close
		}, "conn"},
		{"a connection that was used with what the request carries", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			exec(t, tracker.WithThreshold(r, time.Hour), conn)
			r.end()
			return conn.Close
		}, "conn"},

		{"a connection whose request goes on", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			exec(t, r, conn)
			return func() error { r.end(); return conn.Close() }
		}, ""},
		{"a connection that was had in time", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			r.end()
			exec(t, ctx, conn)
			return conn.Close
		}, ""},
		{"a connection that nobody has used yet", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			r.end()
			return conn.Close
		}, ""},
		{"a connection that is used in another request", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			exec(t, r, conn)
			pass(6 * time.Second)
			other, end := context.WithCancel(ctx)
			exec(t, other, conn)
			pass(6 * time.Second)
			exec(t, r, conn)
			r.end()
			return func() error { end(); return conn.Close() }
		}, ""},
		{"a connection that is used after the request", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			exec(t, r, conn)
			r.end()
			exec(t, ctx, conn)
			return conn.Close
		}, ""},
		{"a connection that is used in between with another", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			exec(t, r, conn)
			exec(t, ctx, conn)
			exec(t, r, conn)
			r.end()
			return conn.Close
		}, ""},
		{"a connection that may be used behind the wrapper's back", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			exec(t, r, conn)
			err := conn.Raw(func(driverConn any) error {
				driverwrap.Unwrap(driverConn)
				return nil
			})
			r.end()
			return func() error { return errors.Join(err, conn.Close()) }
		}, ""},
		{"a connection that a lock was taken on", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			must[sql.Result](t)(conn.ExecContext(r, "SELECT pg_advisory_lock(1)"))
			r.end()
			return func() error {
				_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock(1)")
				return errors.Join(err, conn.Close())
			}
		}, ""},
		{"a connection whose lock was released", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			must[sql.Result](t)(conn.ExecContext(r, "SELECT pg_advisory_lock(1)"))
			must[sql.Result](t)(conn.ExecContext(r, "SELECT pg_advisory_unlock(1)"))
			r.end()
			return conn.Close
		}, "conn"},
		{"a connection that the pool opened by itself", func(t *testing.T, db *sql.DB, r request) func() error {
			db.SetMaxOpenConns(1)
			db.SetConnMaxLifetime(time.Millisecond)
			tx := must[*sql.Tx](t)(db.Begin())
			got := make(chan *sql.Conn)
			go func() {
				conn, err := db.Conn(ctx) // waits, and gets a new one
				if err != nil {
					t.Error(err)
				}
				got <- conn
			}()
			pass(time.Second)
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			conn := <-got
			exec(t, r, conn)
			exec(t, r, conn)
			r.end()
			return conn.Close
		}, ""},
		{"a connection that is held on purpose", func(t *testing.T, db *sql.DB, r request) func() error {
			kept := tracker.LongLived(r, "listens")
			conn := must[*sql.Conn](t)(db.Conn(kept))
			exec(t, kept, conn)
			r.end()
			return conn.Close
		}, ""},
		{"a connection without a context", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(ctx))
			exec(t, r, conn)
			r.end()
			return conn.Close
		}, ""},
		{"a connection that is closed in time", func(t *testing.T, db *sql.DB, r request) func() error {
			conn := must[*sql.Conn](t)(db.Conn(r))
			exec(t, r, conn)
			r.end()
			pass(900 * time.Millisecond)
			err := conn.Close()
			return func() error { return err }
		}, ""},
		{"rows that end with the request", func(t *testing.T, db *sql.DB, r request) func() error {
			must[*sql.Rows](t)(db.QueryContext(r, "rows 9")).Next()
			r.end()
			return func() error { return nil }
		}, ""},
		{"a statement that outlives the request", func(t *testing.T, db *sql.DB, r request) func() error {
			stmt := must[*sql.Stmt](t)(db.PrepareContext(r, "insert"))
			r.end()
			return stmt.Close
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watchPostgres(t)
				inner, end := context.WithCancel(ctx)
				giveBack := tt.hold(t, w.DB, request{inner, end})
				pass(7 * time.Second) // a sweep, and one a second later
				var want []string
				if tt.want != "" {
					want = []string{"overdue " + tt.want + "×1"}
					f := w.tracker.Snapshot().Findings
					if len(f) != 1 || !strings.HasPrefix(f[0].Reason, "its context has been over for ") {
						t.Errorf("findings %+v", f)
					}
				}
				w.events.expect(t, want...)
				pass(10 * time.Second)
				w.events.expect(t, want...)
				if err := giveBack(); err != nil {
					t.Error(err)
				}
				if tt.want != "" {
					want = append(want, "recovered "+tt.want+"×1")
				}
				pass(10 * time.Second)
				w.events.expect(t, want...)
				w.done(t)
			})
		})
	}
}

// TestDesertedRows has rows that database/sql can't close at the end of their
// context: Scan of raw bytes keeps that waiting until the next row.
func TestDesertedRows(t *testing.T) {
	w := watch(t, tracker.WithKindThreshold(tracker.KindTx, time.Second)) // for frequent sweeps
	request, end := context.WithCancel(ctx)
	rows := must[*sql.Rows](t)(w.QueryContext(request, "rows 9"))
	rows.Next()
	if err := rows.Scan(new(sql.RawBytes)); err != nil {
		t.Fatal(err)
	}
	end()
	eventually(t, "the rows are overdue", func() bool {
		f := w.tracker.Snapshot().Findings
		return len(f) == 1 && strings.HasPrefix(f[0].Reason, "its context has been over for ")
	})
	rows.Next()
	rows.Close()
	w.done(t)
}

// TestChannelIsLetGo: a channel in sight of the records would keep whoever waits
// for it from being proven stuck.
func TestChannelIsLetGo(t *testing.T) {
	w := watch(t, tracker.WithKindThreshold(tracker.KindTx, time.Second)) // for frequent sweeps
	gone := make(chan struct{})
	func() {
		request, end := context.WithCancel(ctx)
		done := request.Done()
		runtime.AddCleanup(*(**byte)(unsafe.Pointer(&done)), func(gone chan struct{}) { close(gone) }, gone)
		conn := must[*sql.Conn](t)(w.Conn(request))
		must[sql.Result](t)(conn.ExecContext(request, "insert"))
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		end()
	}()
	eventually(t, "the channel of a Conn's context is collected", func() bool {
		select {
		case <-gone:
			return true
		default:
			return false
		}
	})
	w.done(t)
}
