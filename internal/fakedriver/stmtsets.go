package fakedriver

//lint:file-ignore SA1019 the legacy interfaces are on offer too

import "database/sql/driver"

// StmtSets are the sets of interfaces that a statement can have: all subsets.
func StmtSets() []Set { return setsOf(stmtVariants) }

type stmtVariant = variant[*stmt, driver.Stmt]

// columnConverter has another name than its method: a field named as the
// method would hide it.
type columnConverter interface{ driver.ColumnConverter }

var stmtVariants = []stmtVariant{
	{0, func(s *stmt) driver.Stmt { return struct{ driver.Stmt }{s} }},
	{OnStmt, func(s *stmt) driver.Stmt { return s }},
	{StmtNamedValueChecker, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			driver.NamedValueChecker
		}{s, s}
	}},
	{ColumnConverter, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			columnConverter
		}{s, s}
	}},
	{StmtExecContext, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			driver.StmtExecContext
		}{s, s}
	}},
	{StmtQueryContext, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			driver.StmtQueryContext
		}{s, s}
	}},
	{StmtNamedValueChecker | ColumnConverter, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			driver.NamedValueChecker
			columnConverter
		}{s, s, s}
	}},
	{StmtNamedValueChecker | StmtExecContext, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			driver.NamedValueChecker
			driver.StmtExecContext
		}{s, s, s}
	}},
	{StmtNamedValueChecker | StmtQueryContext, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			driver.NamedValueChecker
			driver.StmtQueryContext
		}{s, s, s}
	}},
	{ColumnConverter | StmtExecContext, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			columnConverter
			driver.StmtExecContext
		}{s, s, s}
	}},
	{ColumnConverter | StmtQueryContext, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			columnConverter
			driver.StmtQueryContext
		}{s, s, s}
	}},
	{StmtExecContext | StmtQueryContext, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			driver.StmtExecContext
			driver.StmtQueryContext
		}{s, s, s}
	}},
	{StmtNamedValueChecker | ColumnConverter | StmtExecContext, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			driver.NamedValueChecker
			columnConverter
			driver.StmtExecContext
		}{s, s, s, s}
	}},
	{StmtNamedValueChecker | ColumnConverter | StmtQueryContext, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			driver.NamedValueChecker
			columnConverter
			driver.StmtQueryContext
		}{s, s, s, s}
	}},
	{StmtNamedValueChecker | StmtExecContext | StmtQueryContext, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			driver.NamedValueChecker
			driver.StmtExecContext
			driver.StmtQueryContext
		}{s, s, s, s}
	}},
	{ColumnConverter | StmtExecContext | StmtQueryContext, func(s *stmt) driver.Stmt {
		return struct {
			driver.Stmt
			columnConverter
			driver.StmtExecContext
			driver.StmtQueryContext
		}{s, s, s, s}
	}},
}
