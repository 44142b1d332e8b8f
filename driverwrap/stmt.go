package driverwrap

import (
	"context"
	"database/sql/driver"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/session"
)

// stmt is a wrapped statement.
type stmt struct {
	record.Anchor
	inner driver.Stmt
	conn  *conn
	text  string
}

// converterStmt is a stmt whose driver has a ColumnConverter, which
// database/sql treats unlike any neutral answer.
type converterStmt struct {
	*stmt
	// Not embedded: a field of the same name would hide its one method.
	//lint:ignore SA1019 database/sql still honours it
	converter driver.ColumnConverter
}

func (s converterStmt) ColumnConverter(index int) driver.ValueConverter {
	return s.converter.ColumnConverter(index)
}

func (c *conn) wrapStmt(ctx context.Context, inner driver.Stmt, query string) driver.Stmt {
	s := c.newStmt(inner, query)
	c.rec.Stmt(ctx, &s.Anchor, query)
	//lint:ignore SA1019 database/sql still honours it
	if cc, ok := inner.(driver.ColumnConverter); ok {
		return converterStmt{s, cc}
	}
	return s
}

// Unwrap returns the driver's own statement.
func (s *stmt) Unwrap() driver.Stmt { return s.inner }

func (s *stmt) NumInput() int { return s.inner.NumInput() }

func (s *stmt) Close() error {
	s.Enter(record.OpClose)
	defer s.Closed()
	err := s.inner.Close()
	if s.Sole() {
		s.inner, s.text, s.conn.spare.stmt = nil, "", s
	}
	return err
}

// CheckNamedValue asks who would be asked without the wrapper: the statement,
// else the connection, else database/sql itself.
func (s *stmt) CheckNamedValue(nv *driver.NamedValue) error {
	if checker, ok := s.inner.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(nv)
	}
	return s.conn.CheckNamedValue(nv)
}

// Exec is never called by database/sql, which prefers ExecContext.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.inner.Exec(args) //lint:ignore SA1019 forwarded as it is
}

// Query is never called by database/sql, which prefers QueryContext.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.inner.Query(args) //lint:ignore SA1019 forwarded as it is
}

// ExecContext does what database/sql does for a driver without it
// (ctxDriverStmtExec).
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.conn.rec.Use(ctx)
	s.conn.rec.Enter(record.OpExec)
	defer s.conn.rec.Leave()
	result, err := s.exec(ctx, args)
	if !session.Everyday(s.text) || s.conn.rec.Dirty() {
		s.conn.ran(ctx, s.text, err)
	}
	if err != nil {
		refused(s.conn.rec, err)
	}
	return result, err
}

func (s *stmt) exec(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if inner, ok := s.inner.(driver.StmtExecContext); ok {
		return inner.ExecContext(ctx, args)
	}
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.inner.Exec(values) //lint:ignore SA1019 the driver has nothing else
}

// QueryContext does what database/sql does for a driver without it
// (ctxDriverStmtQuery).
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.conn.rec.Use(ctx)
	s.conn.rec.Enter(record.OpQuery)
	defer s.conn.rec.Leave()
	inner, err := s.query(ctx, args)
	if !session.Everyday(s.text) || s.conn.rec.Dirty() {
		s.conn.ran(ctx, s.text, err)
	}
	if err != nil {
		refused(s.conn.rec, err)
		return inner, err
	}
	return s.conn.wrapRows(ctx, inner, s.text), nil
}

func (s *stmt) query(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if inner, ok := s.inner.(driver.StmtQueryContext); ok {
		return inner.QueryContext(ctx, args)
	}
	values, err := positional(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.inner.Query(values) //lint:ignore SA1019 the driver has nothing else
}
