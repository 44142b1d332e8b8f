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

// refused is that of a connector. If another one asks it, with a wrapper of
// another package in between, that one sees the error too, and its pool is the
// one that counts.
func (c *connector) refused(err error) {
	if r, ok := servererr.Of(err); ok && !insideAnother() {
		c.pool.Refused(r)
	}
}

const connectFunction = "github.com/dbleaks-go/dbleaks/driverwrap.(*connector).Connect"

// insideAnother reports whether two connectors of this package are at work for
// one connection, of which the calling goroutine is in the inner one.
func insideAnother() bool {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for connectors := 0; ; {
		f, more := frames.Next()
		if f.Function == connectFunction {
			connectors++
		}
		switch {
		case connectors > 1:
			return true
		case !more || strings.HasPrefix(f.Function, "database/sql."):
			return false
		}
	}
}
