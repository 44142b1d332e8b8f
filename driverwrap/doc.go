// Package driverwrap wraps a database/sql driver so that every handle it
// opens is recorded: who opened it, since when, and whether it was given
// back. The records are read through package tracker.
//
// Adopting it takes one line, where the DB is opened:
//
//	db, err := driverwrap.Open("mysql", dsn) // was: sql.Open
//
// The wrapped driver gives database/sql the answers, errors and options of
// the bare one. It implements the interfaces whose absence database/sql can't
// tell from a neutral answer (ErrSkip, nil, true, io.EOF) always, and the
// others exactly where the driver does. What a driver's objects implement
// beyond package database/sql/driver is reached through [Unwrap].
package driverwrap
