package driverwrap

import (
	"database/sql/driver"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/selftest"
)

func init() { selftest.Find = findSubject }

// findSubject looks for this package's connection in what (*sql.Conn).Raw gives.
func findSubject(driverConn any) (selftest.Subject, bool) {
	own := ownConn(driverConn)
	if own == nil {
		return selftest.Subject{}, false
	}
	return selftest.Subject{
		Recorder: own.rec.Registry(),
		Connect:  own.from.Connect,
		Wrap: func(bare driver.Conn, rec *record.Conn) driver.Conn {
			return wrapConn(bare, rec, nil)
		},
	}, true
}
