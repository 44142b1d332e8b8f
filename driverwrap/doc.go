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
// others exactly where the driver does.
//
// # The driver's own objects
//
// (*sql.DB).Driver gives the bare driver, and results of Exec are the driver's
// own. (*sql.Conn).Raw gives the wrapped connection: it hands out what the
// connector returned, without asking, and were that the bare connection, none
// of what database/sql does with it would be seen. The interfaces of package
// database/sql/driver are there. To the driver's own type it is one call, of
// [Unwrap], in the function that is given to Raw:
//
//	pg := driverwrap.Unwrap(dc).(*stdlib.Conn) // was: dc.(*stdlib.Conn)
//
// [Bare] is for functions that take a *sql.Conn and call Raw themselves. The
// pool goes on to be recorded either way; what is done with the bare
// connection is not.
package driverwrap
