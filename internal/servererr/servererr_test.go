package servererr

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"testing"
)

// MySQLError is like that of go-sql-driver/mysql.
type MySQLError struct {
	Number   uint16
	SQLState [5]byte
	Message  string
}

func (e *MySQLError) Error() string { return e.Message }

type stateError string

func (e stateError) Error() string    { return "error" }
func (e stateError) SQLState() string { return string(e) }

// Error is like those of SQLite's drivers by its name only: the package isn't
// one of theirs.
type Error struct{ Code int }

func (Error) Error() string { return "error" }

type panicking struct{}

func (panicking) Error() string    { return "error" }
func (panicking) SQLState() string { panic("no state") }

type circle struct{ next error }

func (*circle) Error() string   { return "error" }
func (c *circle) Unwrap() error { return c.next }

func TestOf(t *testing.T) {
	mysqlError := func(number uint16) error { return &MySQLError{Number: number} }
	round := &circle{}
	round.next = errors.Join(round, round)
	deep := mysqlError(1040)
	for range maxErrors {
		deep = &circle{deep}
	}
	for _, tt := range []struct {
		name string
		err  error
		want string // the code; empty for none
		what What
	}{
		{"too many connections", mysqlError(1040), "MySQL 1040", Connections},
		{"of the account", mysqlError(1203), "MySQL 1203", Connections},
		{"of the account, by its own limit", &MySQLError{Number: 1226, Message: "User 'app' has exceeded the 'max_user_connections' resource (current value: 3)"}, "MySQL 1226", Connections},
		{"too many queries per hour", &MySQLError{Number: 1226, Message: "User 'app' has exceeded the 'max_questions' resource (current value: 3)"}, "", 0},
		{"too many statements", mysqlError(1461), "MySQL 1461", Statements},
		{"duplicate key", mysqlError(1062), "", 0},
		{"syntax", mysqlError(1064), "", 0},
		{"lock wait timeout", mysqlError(1205), "", 0},
		{"no error of MySQL's", (*MySQLError)(nil), "", 0},
		{"too many clients", stateError("53300"), "SQLSTATE 53300", Connections},
		{"out of memory", stateError("53200"), "", 0},
		{"syntax in PostgreSQL", stateError("42601"), "", 0},
		{"wrapped", fmt.Errorf("connect: %w", mysqlError(1040)), "MySQL 1040", Connections},
		{"among others", errors.Join(errors.New("first"), fmt.Errorf("second: %w", stateError("53300"))), "SQLSTATE 53300", Connections},
		{"an error of another package", Error{5}, "", 0},
		{"the context", context.Canceled, "", 0},
		{"bad connection", driver.ErrBadConn, "", 0},
		{"the server is down", &net.OpError{Op: "dial", Err: errors.New("connection refused")}, "", 0},
		{"panics", panicking{}, "", 0},
		{"never ends", round, "", 0},
		{"too deep", deep, "", 0},
		{"none", nil, "", 0},
	} {
		got, ok := Of(tt.err)
		if want := (Refusal{tt.what, tt.want}); ok != (tt.want != "") || ok && got != want {
			t.Errorf("%s: %+v, %v, want %+v", tt.name, got, ok, want)
		}
	}
}

func TestBusy(t *testing.T) {
	for code, want := range map[int64]bool{
		0: false, 1: false, 5: true, 6: false, 5 | 1<<8: false, 5 | 2<<8: false, 5 | 3<<8: true, 6 | 1<<8: false,
	} {
		if _, ok := busy(code); ok != want {
			t.Errorf("%d: %v", code, ok)
		}
	}
}

// Errors of every day cost no allocation.
func TestNoAllocations(t *testing.T) {
	for _, err := range []error{&MySQLError{Number: 1062}, stateError("23505"), context.Canceled, driver.ErrBadConn} {
		if n := testing.AllocsPerRun(100, func() { Of(err) }); n != 0 {
			t.Errorf("%v: %v allocations", err, n)
		}
	}
}
