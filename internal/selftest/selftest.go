// Package selftest plants the leak of a self-test. It is not a part of the
// detector: to a tracker, it is an application like any other.
package selftest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"runtime"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Subject is a DB that is wrapped, as far as a self-test needs it.
type Subject struct {
	// Recorder is where its connections are recorded.
	Recorder *record.Registry
	// Connect makes another connection, bare.
	Connect func(context.Context) (driver.Conn, error)
	// Wrap wraps such a connection as those of the DB are.
	Wrap func(bare driver.Conn, rec *record.Conn) driver.Conn
}

// Find finds the wrapper in what (*sql.Conn).Raw gives, and whose it is. Package
// driverwrap sets it when it is linked.
var Find func(driverConn any) (Subject, bool)

// Query is what is asked: databases without it are few.
const Query = "SELECT 1"

// Leak loses rows, and tells the line that does.
//
//go:noinline
func Leak(db *sql.DB) (at runtime.Frame, err error) {
	at = here()
	_, err = db.Query(Query)
	at.Line++
	return at, err
}

func here() runtime.Frame {
	pc := make([]uintptr, 1)
	runtime.Callers(2, pc)
	at, _ := runtime.CallersFrames(pc).Next()
	return at
}
