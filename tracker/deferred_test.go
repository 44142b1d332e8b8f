package tracker_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestStatementClosedWhileItsConnectionIsBusy: database/sql closes it when the
// connection is released, which the rows prevent; only they are to blame.
func TestStatementClosedWhileItsConnectionIsBusy(t *testing.T) {
	for _, tt := range []struct {
		name string
		open func(db *sql.DB, stmt *sql.Stmt) (*sql.Rows, error)
	}{
		{"by its own rows", func(_ *sql.DB, stmt *sql.Stmt) (*sql.Rows, error) { return stmt.Query() }},
		{"by others", func(db *sql.DB, _ *sql.Stmt) (*sql.Rows, error) { return db.Query("rows 2") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watch(t)
			w.SetMaxOpenConns(1)
			stmt := must[*sql.Stmt](t)(w.Prepare("rows 2"))
			rows := must[*sql.Rows](t)(tt.open(w.DB, stmt))
			if err := stmt.Close(); err != nil {
				t.Error(err)
			}
			var tb fakeTB
			w.tracker.AssertNoLeaks(&tb, tracker.Grace(0))
			f := w.tracker.Snapshot().Open
			if want := "1 handle was not given back"; len(tb.messages) != 1 || !contains(tb.String(), want, "rows LEAKED") || len(f) == 0 {
				t.Errorf("said %q", tb.messages)
			}
			rows.Close()
			w.done(t)
		})
	}
}

// TestStatementsGoneWithTheirConnection: the pool closes the statements of a
// connection that it closes; the application has given none back.
func TestStatementsGoneWithTheirConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		busy := must[*sql.Tx](t)(w.BeginTx(tracker.LongLived(ctx, "keeps the pool swept"), nil))
		for range 8 {
			must[*sql.Stmt](t)(w.Prepare("select 1"))
			pass(5 * time.Second)
		}
		w.events.expect(t, "overdue stmt×8")
		w.SetMaxIdleConns(-1) // closes the connection that has them
		pass(10 * time.Second)
		w.events.expect(t, "overdue stmt×8", "ended stmt×8")
		if f := w.tracker.Snapshot().Findings; len(f) != 0 {
			t.Errorf("findings %v", f)
		}
		busy.Rollback()
		w.done(t)
	})
}

func TestStatementClosedAfterItsConnection(t *testing.T) {
	w := watch(t)
	w.SetMaxIdleConns(-1)
	conn := must[*sql.Conn](t)(w.Conn(ctx))
	stmt := must[*sql.Stmt](t)(conn.PrepareContext(ctx, "select 1"))
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := stmt.Close(); err != nil {
		t.Error(err)
	}
	w.done(t)
}
