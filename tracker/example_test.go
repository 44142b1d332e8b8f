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
