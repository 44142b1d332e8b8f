package driverwrap

import (
	"database/sql/driver"
	"runtime"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/servererr"
)

// refused tells the record of a connection if the error of a call on it means
// that the database has run out of something. The error goes on as it is.
func refused(rec interface{ Refused(servererr.Refusal) }, err error) {
	if err == driver.ErrSkip { // database/sql tries otherwise
		return
	}
	if r, ok := servererr.Of(err); ok {
		rec.Refused(r)
	}
}

const connectFunction = "github.com/dbleaks-go/dbleaks/driverwrap.(*connector).Connect"

// insideAnother reports whether its caller, a connector, is asked by another one
// of this package, with a wrapper of another package in between: that one sees
// the error too, and its pool is the one that counts.
func insideAnother() bool {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		switch {
		case f.Function == connectFunction:
			return true
		case !more || strings.HasPrefix(f.Function, "database/sql."):
			return false
		}
	}
}
