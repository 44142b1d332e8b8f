package tracker_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// losing wraps connections, and keeps to itself when they are acquired and
// released: so do wrappers with neither SessionResetter nor Validator.
type losing struct{ driver.Connector }

type losingConn struct {
	driver.Conn
	driver.QueryerContext
	driver.ExecerContext
	driver.ConnBeginTx
}

func (l losing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := l.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return losingConn{c, c.(driver.QueryerContext), c.(driver.ExecerContext), c.(driver.ConnBeginTx)}, nil
}

// TestWrapperThatLosesAcquires opens handles on a connection that looks as if
// it were in use since the first of them.
func TestWrapperThatLosesAcquires(t *testing.T) {
	earlier := map[string]func(t *testing.T, db *sql.DB){
		"query":       func(t *testing.T, db *sql.DB) { must[*sql.Rows](t)(db.Query("rows 1")).Close() },
		"exec":        func(t *testing.T, db *sql.DB) { must[sql.Result](t)(db.Exec("insert")) },
		"transaction": func(t *testing.T, db *sql.DB) { must[*sql.Tx](t)(db.Begin()).Rollback() },
		"statement":   func(t *testing.T, db *sql.DB) { must[*sql.Stmt](t)(db.Prepare("insert")).Close() },
	}
	later := map[string]func(t *testing.T, db *sql.DB) func() error{
		"rows": laterRows,
		"tx":   laterTx,
		"stmt": laterStmt,
	}
	for first, use := range earlier {
		for kind, open := range later {
			t.Run(kind+" after "+first, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					w := watch(t, tracker.WithMaxAge(time.Hour))
					db := sql.OpenDB(losing{driverwrap.WrapConnector(&nopdriver.Connector{}, driverwrap.WithTracker(w.tracker))})
					use(t, db)
					pass(2 * time.Hour)
					giveBack := open(t, db)
					pass(10 * time.Second)
					w.events.expect(t)
					s := w.tracker.Snapshot()
					i := slices.IndexFunc(s.Open, func(f tracker.Finding) bool { return f.Kind.String() == kind })
					if i < 0 {
						t.Errorf("not open: %v; findings %v", s.Open, s.Findings)
					} else if f := s.Open[i]; !strings.Contains(f.Site.Function, "later") || f.Age != 10*time.Second {
						t.Errorf("opened in %q, for %v", f.Site.Function, f.Age)
					}
					if err := giveBack(); err != nil {
						t.Error(err)
					}
					w.tracker.AssertNoLeaks(t)
					db.Close()
					w.Close()
				})
			})
		}
	}
}

//go:noinline
func laterRows(t *testing.T, db *sql.DB) func() error {
	return must[*sql.Rows](t)(db.Query("rows 9")).Close
}

//go:noinline
func laterTx(t *testing.T, db *sql.DB) func() error { return must[*sql.Tx](t)(db.Begin()).Rollback }

//go:noinline
func laterStmt(t *testing.T, db *sql.DB) func() error {
	return must[*sql.Stmt](t)(db.Prepare("later")).Close
}
