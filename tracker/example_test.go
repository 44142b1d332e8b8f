package tracker_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
	"github.com/dbleaks-go/dbleaks/tracker/leaklog"
)

// In a test.
func ExampleAssertNoLeaks() {
	TestOrders := func(t *testing.T) {
		defer tracker.AssertNoLeaks(t)
		// … use a DB that driverwrap opened
	}
	_ = TestOrders
}

// In a test that runs in parallel with others.
func ExampleGuard() {
	var db *sql.DB
	TestOrders := func(t *testing.T) {
		t.Parallel()
		ctx := tracker.Guard(t)
		_, _ = db.ExecContext(ctx, "INSERT …") // with the context, or without it
	}
	_ = TestOrders
}

func ExampleScope() {
	export := func(ctx context.Context) error {
		ctx, end := tracker.Scope(ctx, "nightly export")
		defer end()
		// … pass ctx on
		return ctx.Err()
	}
	_ = export
}

func ExampleWithLabels() {
	type tenantKey struct{}
	err := tracker.Default().Configure(tracker.WithLabels(func(ctx context.Context) []tracker.Label {
		tenant, _ := ctx.Value(tenantKey{}).(string)
		return []tracker.Label{{Key: "tenant", Value: tenant}}
	}))
	if err != nil {
		log.Fatal(err)
	}
}

// When a program starts: would a leak be seen?
func ExampleSelfTest() {
	var ctx context.Context
	var db *sql.DB // of driverwrap.Open
	check := func() {
		if _, err := tracker.SelfTest(ctx, db); err != nil {
			log.Print(err) // tracker: self-test: …
		}
	}
	_ = check
}

// For all tests of a package: leaks, and DBs that were never closed.
func ExampleVerifyTestMain() {
	TestMain := func(m *testing.M) { tracker.VerifyTestMain(m) }
	_ = TestMain
}

func ExampleTracker_Configure() {
	err := tracker.Default().Configure(
		tracker.WithKindThreshold(tracker.KindTx, 10*time.Second),
		tracker.WithObserver(leaklog.Slog(slog.Default())), // or leaklog.Zerolog(log.Logger)
	)
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleTracker_Close() {
	defer func() {
		if report := tracker.Default().Close(); !report.Empty() {
			fmt.Fprint(os.Stderr, report)
		}
	}()
}

func ExampleTracker_Snapshot() {
	for _, f := range tracker.Default().Snapshot().Findings {
		fmt.Printf("%d %v %v, opened at %s:%d\n", f.Count, f.Kind, f.State, f.Site.File, f.Site.Line)
	}
	// Output:
}

func ExampleWithSiteThreshold() {
	err := tracker.Default().Configure(
		tracker.WithSiteThreshold(`^example\.com/shop/jobs\.`, 10*time.Minute), // instead of 30 s
		tracker.WithSiteThreshold(`\.\(\*Listener\)\.Run `, 0),                 // never
	)
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleWithSessionChecks() {
	err := tracker.Default().Configure(
		tracker.WithSessionChecks(tracker.DefaultSessionChecks | tracker.SessionSettings),
	)
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleLongLived() {
	var db *sql.DB
	listen := func(ctx context.Context) error {
		conn, err := db.Conn(tracker.LongLived(ctx, "listens for new orders"))
		if err != nil {
			return err
		}
		defer conn.Close()
		return nil // … hold the connection for as long as the process runs
	}
	_ = listen
}

func ExampleWithThreshold() {
	var db *sql.DB
	export := func(ctx context.Context) error {
		// This report may pause for minutes between two rows.
		rows, err := db.QueryContext(tracker.WithThreshold(ctx, 10*time.Minute), "SELECT …")
		if err != nil {
			return err
		}
		defer rows.Close()
		return rows.Err()
	}
	_ = export
}
