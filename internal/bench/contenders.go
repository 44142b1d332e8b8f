package main

import (
	"database/sql"
	"database/sql/driver"

	"github.com/dbleaks-go/dbleaks/driverwrap"
)

// contender is a way to open a DB on a driver.
type contender struct {
	name string
	open func(c driver.Connector) *sql.DB
	// callers is set for one that a program built with the tag
	// dbleaks_callers has to open.
	callers bool
}

const (
	nameBare        = "bare"
	namePassThrough = "pass-through"
	nameDbleaks     = "dbleaks"
	nameOff         = "dbleaks-off"
	nameCallers     = "dbleaks-callers"
)

// contenders are compared with the first, the bare driver.
var contenders = append([]contender{
	{name: nameBare, open: sql.OpenDB},
	{name: namePassThrough, open: func(c driver.Connector) *sql.DB { return sql.OpenDB(passThrough{c}) }},
	{name: nameDbleaks, open: watched},
	{name: nameOff, open: func(c driver.Connector) *sql.DB { return driverwrap.OpenDB(c, driverwrap.WithTracker(nil)) }},
	{name: nameCallers, open: watched, callers: true},
}, peers...)

// watched is dbleaks with all defaults, and the process's tracker.
func watched(c driver.Connector) *sql.DB { return driverwrap.OpenDB(c) }
