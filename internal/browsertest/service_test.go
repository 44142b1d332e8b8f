package browsertest

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/httpdebug"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// threshold is how long the services' handles may be held.
const threshold = time.Second

// service is a program with a page. Its methods are its bugs.
type service struct {
	t       *testing.T
	tracker *tracker.Tracker
	orders  *sql.DB
	url     string // of the page
	kept    []func()
	// disconnect ends all that browsers are asking for.
	disconnect func()
}

// newService starts one in which nothing is held. name is that of its pool,
// which may be whatever a program calls things; empty for no pool.
func newService(t *testing.T, name string, wrap func(http.Handler) http.Handler) *service {
	t.Helper()
	s := &service{t: t}
	label := func(ctx context.Context) []tracker.Label {
		if v, ok := ctx.Value(tenant{}).(string); ok {
			return []tracker.Label{{Key: "tenant", Value: v}}
		}
		return nil
	}
	tr, err := tracker.New(
		tracker.WithLabels(label), tracker.WithKindThreshold(tracker.KindRows, threshold),
		tracker.WithKindThreshold(tracker.KindTx, threshold), tracker.WithKindThreshold(tracker.KindConn, threshold),
	)
	if err != nil {
		t.Fatal(err)
	}
	s.tracker = tr
	if name != "" {
		s.orders = s.open(name, 10)
	}
	h := httpdebug.Handler(httpdebug.WithTracker(tr), httpdebug.Allow(func(*http.Request) (view, sensitive bool) { return true, true }))
	if wrap != nil {
		h = wrap(h)
	}
	server := httptest.NewServer(h)
	s.disconnect = server.CloseClientConnections
	s.url = server.URL + "/debug/dbleaks/"
	t.Cleanup(func() {
		for _, release := range s.kept {
			release()
		}
		server.CloseClientConnections()
		server.Close()
		tr.Close()
	})
	return s
}

type tenant struct{}

// open opens a DB that is closed at the test's end.
func (s *service) open(name string, limit int) *sql.DB {
	db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(s.tracker), driverwrap.WithName(name))
	db.SetMaxOpenConns(limit)
	s.kept = append(s.kept, func() { db.Close() })
	return db
}

func (s *service) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// findOrder drops its rows.
func (s *service) findOrder() {
	_, err := s.orders.Query("SELECT id, status FROM orders WHERE customer = 'acme'")
	s.check(err)
}

// checkout forgets its transaction, which it can still reach.
func (s *service) checkout(ctx context.Context) *sql.Tx {
	tx, err := s.orders.BeginTx(context.WithoutCancel(ctx), nil)
	s.check(err)
	_, err = tx.Exec("UPDATE stock SET n = n - 1 WHERE sku = 'P007'")
	s.check(err)
	s.kept = append(s.kept, func() { tx.Rollback() })
	return tx
}

// listen has a connection to itself, and says so.
func (s *service) listen() {
	conn, err := s.orders.Conn(tracker.LongLived(context.Background(), "waits for notifications"))
	s.check(err)
	s.kept = append(s.kept, func() { conn.Close() })
}

// reserve holds a connection for nothing.
func (s *service) reserve() *sql.Conn {
	conn, err := s.orders.Conn(context.Background())
	s.check(err)
	s.kept = append(s.kept, func() { conn.Close() })
	return conn
}

// price prepares a statement for each call.
func (s *service) price() {
	stmt, err := s.orders.Prepare("SELECT price FROM products WHERE id = ?")
	s.check(err)
	s.kept = append(s.kept, func() { stmt.Close() })
}

// exhaust takes all connections of a small pool, and has others wait.
func (s *service) exhaust(name string) {
	db := s.open(name, 2)
	for range 2 {
		s.report(db)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan bool)
	go func() {
		defer close(done)
		db.ExecContext(ctx, "INSERT INTO visits DEFAULT VALUES")
	}()
	s.kept = append([]func(){func() { cancel(); <-done }}, s.kept...)
}

func (s *service) report(db *sql.DB) {
	rows, err := db.Query("rows 2")
	s.check(err)
	s.kept = append(s.kept, func() { rows.Close() })
}

// trouble is a service with a bit of everything, once all of it is known.
func trouble(t *testing.T) *service {
	s := newService(t, "orders", nil)
	ctx, end := s.tracker.Scope(context.WithValue(context.Background(), tenant{}, "acme"), "POST /checkout")
	defer end()
	over := s.checkout(ctx)
	s.findOrder()
	s.findOrder()
	s.reserve()
	s.listen()
	for range 6 {
		s.price()
	}
	s.exhaust("reports")
	s.until("the first transaction is reported", func(now tracker.Snapshot) bool {
		return has(now, tracker.KindTx, tracker.StateOverdue)
	})
	s.check(over.Rollback())
	s.checkout(ctx)
	s.until("all is known", func(now tracker.Snapshot) bool {
		return has(now, tracker.KindRows, tracker.StateLeaked) && has(now, tracker.KindTx, tracker.StateOverdue) &&
			has(now, tracker.KindConn, tracker.StateOverdue) && len(now.Ended) > 0 && now.Pools[0].Exhausted != nil
	})
	return s
}

// has tells whether such a finding has been reported.
func has(s tracker.Snapshot, kind tracker.Kind, state tracker.State) bool {
	for _, f := range s.Findings {
		if f.Kind == kind && f.State == state && !f.FirstSeen.IsZero() {
			return true
		}
	}
	return false
}

// until collects garbage until something is known.
func (s *service) until(what string, known func(tracker.Snapshot) bool) {
	s.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		runtime.GC()
		now := s.tracker.Snapshot()
		if known(now) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("not within %v: %s; there are %+v", patience, what, now.Findings)
		}
	}
}
