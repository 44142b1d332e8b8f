package fakedriver

import (
	"database/sql/driver"
	"reflect"
)

// RowsSets are the sets of interfaces that rows can have: none, each alone,
// all, and all but one; from Go 1.27 on also some with a RowsColumnScanner.
func RowsSets() []Set { return setsOf(rowsVariants) }

type rowsVariant = variant[*rows, driver.Rows]

// The methods that rows have beyond driver.Rows, which all interfaces of
// package driver include.
type (
	resultSets interface {
		HasNextResultSet() bool
		NextResultSet() error
	}
	scanTypes interface{ ColumnTypeScanType(index int) reflect.Type }
	typeNames interface{ ColumnTypeDatabaseTypeName(index int) string }
	lengths   interface {
		ColumnTypeLength(index int) (length int64, ok bool)
	}
	nullables interface {
		ColumnTypeNullable(index int) (nullable, ok bool)
	}
	precisions interface {
		ColumnTypePrecisionScale(index int) (precision, scale int64, ok bool)
	}
)

var commonRowsVariants = []rowsVariant{
	{0, func(r *rows) driver.Rows { return struct{ namedRows }{r} }},
	{OnRows, func(r *rows) driver.Rows { return r }},
	{RowsNextResultSet, func(r *rows) driver.Rows {
		return struct {
			namedRows
			resultSets
		}{r, r}
	}},
	{ColumnTypeScanType, func(r *rows) driver.Rows {
		return struct {
			namedRows
			scanTypes
		}{r, r}
	}},
	{ColumnTypeDatabaseTypeName, func(r *rows) driver.Rows {
		return struct {
			namedRows
			typeNames
		}{r, r}
	}},
	{ColumnTypeLength, func(r *rows) driver.Rows {
		return struct {
			namedRows
			lengths
		}{r, r}
	}},
	{ColumnTypeNullable, func(r *rows) driver.Rows {
		return struct {
			namedRows
			nullables
		}{r, r}
	}},
	{ColumnTypePrecisionScale, func(r *rows) driver.Rows {
		return struct {
			namedRows
			precisions
		}{r, r}
	}},
	{OnRows &^ RowsNextResultSet, func(r *rows) driver.Rows {
		return struct {
			namedRows
			scanTypes
			typeNames
			lengths
			nullables
			precisions
		}{r, r, r, r, r, r}
	}},
	{OnRows &^ ColumnTypeScanType, func(r *rows) driver.Rows {
		return struct {
			namedRows
			resultSets
			typeNames
			lengths
			nullables
			precisions
		}{r, r, r, r, r, r}
	}},
	{OnRows &^ ColumnTypeDatabaseTypeName, func(r *rows) driver.Rows {
		return struct {
			namedRows
			resultSets
			scanTypes
			lengths
			nullables
			precisions
		}{r, r, r, r, r, r}
	}},
	{OnRows &^ ColumnTypeLength, func(r *rows) driver.Rows {
		return struct {
			namedRows
			resultSets
			scanTypes
			typeNames
			nullables
			precisions
		}{r, r, r, r, r, r}
	}},
	{OnRows &^ ColumnTypeNullable, func(r *rows) driver.Rows {
		return struct {
			namedRows
			resultSets
			scanTypes
			typeNames
			lengths
			precisions
		}{r, r, r, r, r, r}
	}},
	{OnRows &^ ColumnTypePrecisionScale, func(r *rows) driver.Rows {
		return struct {
			namedRows
			resultSets
			scanTypes
			typeNames
			lengths
			nullables
		}{r, r, r, r, r, r}
	}},
}
