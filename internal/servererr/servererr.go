// Package servererr recognises the errors with which a database refuses a call
// because something has run out. It knows the drivers' errors by their form, and
// imports no driver.
package servererr

import (
	"reflect"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/peek"
)

// What is what a database has run out of.
type What uint8

// What there can be too few of.
const (
	Connections What = iota
	Statements
	Locks // SQLite has one for all who write
)

// Refusal is what such an error says.
type Refusal struct {
	What What
	// Code is the error's own, with the word that tells whose it is, such as
	// "MySQL 1040".
	Code string
}

// maxErrors bounds how many errors of a tree are looked at.
const maxErrors = 32

// Of finds the refusal in an error, or in those that it wraps. It is for errors
// only: a call that succeeds doesn't come here. A panic of one of the errors is
// swallowed.
func Of(err error) (r Refusal, ok bool) {
	defer func() {
		if recover() != nil {
			r, ok = Refusal{}, false
		}
	}()
	left := maxErrors
	return find(err, &left)
}

func find(err error, left *int) (Refusal, bool) {
	for ; err != nil && *left > 0; *left-- {
		if r, ok := one(err); ok {
			return r, true
		}
		switch w := err.(type) {
		case interface{ Unwrap() error }:
			err = w.Unwrap()
		case interface{ Unwrap() []error }:
			for _, e := range w.Unwrap() {
				if r, ok := find(e, left); ok {
					return r, true
				}
			}
			return Refusal{}, false
		default:
			return Refusal{}, false
		}
	}
	return Refusal{}, false
}

// one looks at an error by itself.
func one(err error) (Refusal, bool) {
	if e, ok := err.(interface{ SQLState() string }); ok { // pgx, lib/pq
		return Refusal{Connections, "SQLSTATE 53300"}, e.SQLState() == "53300"
	}
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch name := t.Name(); {
	case name == "MySQLError":
		return mysql(err)
	case name == "Error" && strings.Contains(t.PkgPath(), "sqlite"):
		return sqlite(err)
	}
	return Refusal{}, false
}

// mysql knows the error of go-sql-driver/mysql by its fields.
func mysql(err error) (Refusal, bool) {
	f := peek.Field(err, "Number")
	if !f.CanUint() {
		return Refusal{}, false
	}
	switch f.Uint() {
	case 1040: // of the server
		return Refusal{Connections, "MySQL 1040"}, true
	case 1203: // of the account, by the server's setting for all
		return Refusal{Connections, "MySQL 1203"}, true
	case 1226: // of the account, by its own, of which there are others too
		m := peek.Field(err, "Message")
		return Refusal{Connections, "MySQL 1226"}, m.Kind() == reflect.String && strings.Contains(m.String(), "'max_user_connections'")
	case 1461:
		return Refusal{Statements, "MySQL 1461"}, true
	}
	return Refusal{}, false
}

// sqlite knows the errors of modernc.org/sqlite by their method, and those of
// mattn/go-sqlite3 by their fields.
func sqlite(err error) (Refusal, bool) {
	if e, ok := err.(interface{ Code() int }); ok {
		return busy(int64(e.Code()))
	}
	for _, name := range []string{"ExtendedCode", "Code"} {
		if f := peek.Field(err, name); f.CanInt() && f.Int() != 0 {
			return busy(f.Int())
		}
	}
	return Refusal{}, false
}

// busy takes a result code, perhaps an extended one. For two of these nobody who
// holds something is to blame: another process recovers the database, or the
// transaction has read what is out of date.
func busy(code int64) (Refusal, bool) {
	const sqliteBusy, recovery, snapshot = 5, 5 | 1<<8, 5 | 2<<8
	return Refusal{Locks, "SQLite 5"}, code&0xff == sqliteBusy && code != recovery && code != snapshot
}
