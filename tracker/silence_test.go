package tracker_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestSilence holds what looks like a leak and is none.
func TestSilence(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts []tracker.Option
		run  func(t *testing.T, w *watched)
	}{
		{"an old statement on a busy connection", []tracker.Option{tracker.WithMaxAge(time.Hour)}, func(t *testing.T, w *watched) {
			w.SetMaxOpenConns(1)
			stmt := must[*sql.Stmt](t)(w.PrepareContext(tracker.WithThreshold(ctx, time.Second), "select 1"))
			pass(2 * time.Hour)
			rows := must[*sql.Rows](t)(w.Query("rows 9"))
			pass(20 * time.Second)
			rows.Close()
			stmt.Close()
		}},
		{"rows with a threshold of their own inside a connection", nil, func(t *testing.T, w *watched) {
			conn := must[*sql.Conn](t)(w.Conn(ctx))
			rows := must[*sql.Rows](t)(conn.QueryContext(tracker.WithThreshold(ctx, 10*time.Minute), "rows 9"))
			pass(9 * time.Minute)
			rows.Close()
			conn.Close()
		}},
		{"statements that were closed while their connections were busy", nil, func(t *testing.T, w *watched) {
			var held []*sql.Tx
			for range 12 {
				s := must[*sql.Stmt](t)(w.Prepare("insert"))
				pass(time.Millisecond)
				tx := must[*sql.Tx](t)(w.BeginTx(tracker.LongLived(ctx, "batch"), nil))
				must[sql.Result](t)(tx.Stmt(s).Exec())
				s.Close()
				held = append(held, tx)
				pass(6 * time.Second)
			}
			for _, tx := range held {
				tx.Rollback()
			}
		}},
		{"a DB for each tenant, opened as they come", nil, func(t *testing.T, w *watched) {
			var dbs []*sql.DB
			for i := range 8 {
				driverName, dsn := "silence", fmt.Sprintf("postgres://h/shop?search_path=tenant%d", i)
				dbs = append(dbs, must[*sql.DB](t)(driverwrap.Open(driverName, dsn, driverwrap.WithTracker(w.tracker))))
				must[sql.Result](t)(dbs[i].Exec("insert"))
				pass(10 * time.Second)
			}
			for _, db := range dbs {
				db.Close()
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := watch(t, tt.opts...)
				tt.run(t, w)
				pass(10 * time.Second)
				w.events.expect(t)
				w.done(t)
			})
		})
	}
}

func init() { sql.Register("silence", silence{}) }

type silence struct{ c nopdriver.Connector }

func (s silence) Open(string) (driver.Conn, error) { return s.c.Connect(ctx) }

// forgetful wraps connections, and keeps to itself when they are released:
// several wrappers in use lose IsValid.
type forgetful struct{ driver.Connector }

type forgetfulConn struct {
	driver.Conn
	driver.ExecerContext
	driver.SessionResetter
}

func (f forgetful) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := f.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return forgetfulConn{c, c.(driver.ExecerContext), c.(driver.SessionResetter)}, nil
}

func TestWrapperThatLosesIsValid(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		db := sql.OpenDB(forgetful{driverwrap.WrapConnector(&nopdriver.Connector{}, driverwrap.WithTracker(w.tracker))})
		for range 5 {
			must[sql.Result](t)(db.Exec("insert"))
			pass(time.Minute)
			request, end := context.WithCancel(ctx)
			conn := must[*sql.Conn](t)(db.Conn(request))
			must[sql.Result](t)(conn.ExecContext(request, "insert"))
			end()
			conn.Close()
			pass(time.Minute)
		}
		w.events.expect(t)
		w.tracker.AssertNoLeaks(t)
		conn := must[*sql.Conn](t)(db.Conn(ctx))
		tx := must[*sql.Tx](t)(conn.BeginTx(ctx, nil))
		pass(time.Minute)
		w.events.expect(t, "overdue conn×1") // who has a Tx has its Conn
		tx.Rollback()
		conn.Close()
		db.Close()
		w.Close()
	})
}

// TestBubbleLeavesThePoolSwept uses a pool of real time from a bubble, whose
// timers end with it.
func TestBubbleLeavesThePoolSwept(t *testing.T) {
	w := watch(t, tracker.WithKindThreshold(tracker.KindTx, time.Second))
	synctest.Test(t, func(t *testing.T) { must[sql.Result](t)(w.Exec("insert")) })
	tx := must[*sql.Tx](t)(w.Begin())
	eventually(t, "the transaction is overdue", func() bool { return len(w.events.told()) == 1 })
	tx.Rollback()
	w.done(t)
}

func TestNothingIsToldAfterClose(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		tx := must[*sql.Tx](t)(w.Begin())
		if r := w.tracker.Close(); len(r.Findings) != 2 {
			t.Errorf("report:\n%s", r)
		}
		pass(time.Hour)
		w.events.expect(t)
		tx.Rollback()
		w.Close()
	})
}

func TestLeaksInsideWhatMayBeHeld(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		conn := must[*sql.Conn](t)(w.Conn(tracker.LongLived(ctx, "session")))
		tx := must[*sql.Tx](t)(conn.BeginTx(ctx, nil))
		pass(time.Minute)
		w.events.expect(t, "overdue tx×1")
		tx.Rollback()
		conn.Close()
		w.done(t)
	})
}

func TestDroppedRowsInsideAnAcceptedConn(t *testing.T) {
	w := watch(t)
	conn := must[*sql.Conn](t)(w.Conn(tracker.LongLived(ctx, "session")))
	func() { must[*sql.Rows](t)(conn.QueryContext(ctx, "rows 9")).Next() }()
	var tb fakeTB
	w.tracker.AssertNoLeaks(&tb)
	if !contains(tb.String(), "rows LEAKED (unreachable)") {
		t.Errorf("said %q", tb.String())
	}
	if err := conn.PingContext(ctx); err != nil { // it lives until here
		t.Error(err)
	}
}

// TestBubblesSideBySide has tests in bubbles share a tracker: all have the same
// time, but what is another's must not be touched.
func TestBubblesSideBySide(t *testing.T) {
	tr := must[*tracker.Tracker](t)(tracker.New())
	open, looked := make(chan struct{}), make(chan struct{})
	t.Run("bubbles", func(t *testing.T) {
		t.Run("has a transaction", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				db := openNamed(tr, "shop")
				defer db.Close()
				request, end := context.WithCancel(ctx)
				defer end()
				tx := must[*sql.Tx](t)(db.BeginTx(request, nil))
				defer tx.Rollback()
				close(open)
				<-looked
			})
		})
		t.Run("looks", func(t *testing.T) {
			t.Parallel()
			<-open
			defer close(looked)
			synctest.Test(t, func(t *testing.T) {
				said := &fakeTB{}
				if tr.AssertNoLeaks(said); !contains(said.String(), "tx") {
					t.Errorf("said %q", said)
				}
				if s := tr.Snapshot(); len(s.Open) != 2 { // and the DB
					t.Errorf("open %v", s.Open)
				}
			})
		})
	})
}
