package driverwrap

import (
	"database/sql/driver"

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
