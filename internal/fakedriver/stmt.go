package fakedriver

import (
	"context"
	"database/sql/driver"
	"strings"
)

// stmt implements everything that a statement can; newStmt hides what was not
// asked for.
type stmt struct {
	fake        *Fake
	name, query string
}

func (f *Fake) newStmt(query string) driver.Stmt {
	return pick(stmtVariants, f.Has&OnStmt, &stmt{fake: f, name: f.name("stmt"), query: query})
}

func (s *stmt) call(ctx context.Context, method string, args ...any) Answer {
	return s.fake.call(Call{Object: s.name, Method: method, Ctx: ctx, Query: s.query, Args: args})
}

func (s *stmt) Close() error {
	defer s.fake.closed(s.name)
	return s.call(noContext, "Close").Err
}

// NumInput counts the question marks, if nothing else is scripted.
func (s *stmt) NumInput() int { return or(s.call(noContext, "NumInput"), strings.Count(s.query, "?")) }

func (s *stmt) CheckNamedValue(nv *driver.NamedValue) error {
	return check(nv, s.call(noContext, "CheckNamedValue", argOf(*nv)))
}

func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.fake.result(s.call(noContext, "Exec", values(args)))
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.fake.result(s.call(ctx, "ExecContext", namedValues(args)))
}

func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.fake.rows(noContext, s.query, s.call(noContext, "Query", values(args)))
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.fake.rows(ctx, s.query, s.call(ctx, "QueryContext", namedValues(args)))
}

func (s *stmt) ColumnConverter(index int) driver.ValueConverter {
	s.call(noContext, "ColumnConverter", index)
	return converter{s}
}

type converter struct{ stmt *stmt }

// ConvertValue is the default one, if nothing else is scripted.
func (c converter) ConvertValue(v any) (driver.Value, error) {
	a := c.stmt.call(noContext, "ConvertValue", v)
	switch {
	case a.Err != nil:
		return nil, a.Err
	case a.Value != nil:
		return a.Value, nil
	}
	return driver.DefaultParameterConverter.ConvertValue(v)
}
