package session

import (
	"errors"
	"reflect"

	"github.com/dbleaks-go/dbleaks/internal/peek"
)

// Survives reports whether a transaction is sure to go on after the error of a
// statement in it.
func Survives(err error, d Dialect) bool {
	switch d {
	case Postgres:
		return true // it takes no statements any more, but a ROLLBACK
	case MySQL:
		// Cardinality, data, integrity and syntax. A deadlock rolls back
		// everything, a lock timeout may.
		switch state := sqlState(err); {
		case len(state) == 5:
			class := state[:2]
			return class == "21" || class == "22" || class == "23" || class == "42"
		}
	case SQLite:
		var coded interface{ Code() int }
		return errors.As(err, &coded) && coded.Code() == 1 // no constraint, which may be one ON CONFLICT ROLLBACK
	}
	return false
}

// sqlState is the error's SQLSTATE, which the driver has in an array of bytes;
// empty if it has none.
func sqlState(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		f := peek.Field(err, "SQLState")
		if !f.IsValid() || f.Type() != reflect.TypeFor[[5]byte]() {
			continue
		}
		text := make([]byte, f.Len())
		reflect.Copy(reflect.ValueOf(text), f)
		return string(text)
	}
	return ""
}
