package fakedriver

import "strings"

// Set is a set of the optional interfaces of package driver.
type Set uint32

// The interfaces, and at the end what else a driver may do differently.
const (
	DriverContext Set = 1 << iota
	ConnectorCloser

	Pinger
	ConnPrepareContext
	ConnBeginTx
	ExecerContext
	Execer
	QueryerContext
	Queryer
	ConnNamedValueChecker
	SessionResetter
	Validator

	StmtNamedValueChecker
	ColumnConverter
	StmtExecContext
	StmtQueryContext

	RowsNextResultSet
	ColumnTypeScanType
	ColumnTypeDatabaseTypeName
	ColumnTypeLength
	ColumnTypeNullable
	ColumnTypePrecisionScale
	RowsColumnScanner // Go 1.27

	TxIsConn   // Begin returns the connection itself
	Unhashable // connections are values that can't be compared; in two of the ConnSets
	numBits    = iota
)

// What belongs to each object.
const (
	OnConn = Pinger | ConnPrepareContext | ConnBeginTx | ExecerContext | Execer | QueryerContext | Queryer |
		ConnNamedValueChecker | SessionResetter | Validator
	OnStmt = StmtNamedValueChecker | ColumnConverter | StmtExecContext | StmtQueryContext
	OnRows = RowsNextResultSet | ColumnTypeScanType | ColumnTypeDatabaseTypeName | ColumnTypeLength |
		ColumnTypeNullable | ColumnTypePrecisionScale
)

var setNames = [numBits]string{
	"DriverContext", "ConnectorCloser",
	"Pinger", "ConnPrepareContext", "ConnBeginTx", "ExecerContext", "Execer", "QueryerContext", "Queryer",
	"ConnNamedValueChecker", "SessionResetter", "Validator",
	"StmtNamedValueChecker", "ColumnConverter", "StmtExecContext", "StmtQueryContext",
	"RowsNextResultSet", "ColumnTypeScanType", "ColumnTypeDatabaseTypeName", "ColumnTypeLength",
	"ColumnTypeNullable", "ColumnTypePrecisionScale", "RowsColumnScanner",
	"TxIsConn", "Unhashable",
}

// String lists the names, joined by "+"; "none" for the empty set.
func (s Set) String() string {
	var names []string
	for i, name := range setNames {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, "+")
}

// Has reports whether all of t are in s.
func (s Set) Has(t Set) bool { return s&t == t }

// variant makes an object of which exactly the interfaces in has can be seen.
type variant[Full, Object any] struct {
	has  Set
	make func(Full) Object
}

func pick[Full, Object any](variants []variant[Full, Object], has Set, full Full) Object {
	for _, v := range variants {
		if v.has == has {
			return v.make(full)
		}
	}
	panic("fakedriver: no variant has exactly " + has.String())
}

func setsOf[Full, Object any](variants []variant[Full, Object]) []Set {
	sets := make([]Set, len(variants))
	for i, v := range variants {
		sets[i] = v.has
	}
	return sets
}
