package session

import (
	"errors"
	"fmt"
	"testing"
)

// stateError has the server's state where go-sql-driver/mysql's errors have it.
type stateError struct{ SQLState [5]byte }

func (*stateError) Error() string { return "of the server" }

// embedding has what is the server's inside, or nothing.
type embedding struct{ *stateError }

func (e embedding) Error() string { return "of a wrapper" }

type codedError int

func (e codedError) Error() string { return "of SQLite" }
func (e codedError) Code() int     { return int(e) }

func TestSurvives(t *testing.T) {
	state := func(s string) *stateError { return &stateError{[5]byte([]byte(s))} }
	for _, tt := range []struct {
		name string
		err  error
		d    Dialect
		want bool
	}{
		{"duplicate key", state("23000"), MySQL, true},
		{"duplicate key, wrapped", fmt.Errorf("insert: %w", state("23000")), MySQL, true},
		{"deadlock", state("40001"), MySQL, false},
		{"state inside", embedding{state("42000")}, MySQL, true},
		{"nothing inside", embedding{}, MySQL, false},
		{"nothing at all", (*stateError)(nil), MySQL, false},
		{"no state", errors.New("EOF"), MySQL, false},
		{"aborted", errors.New("any"), Postgres, true},
		{"syntax", codedError(1), SQLite, true},
		{"constraint", codedError(19), SQLite, false},
		{"interrupted", errors.New("context canceled"), SQLite, false},
		{"no dialect", state("23000"), Unknown, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Survives(tt.err, tt.d); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
