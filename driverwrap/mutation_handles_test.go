package driverwrap_test

// stmtMutations are defects of what is asked of statements.
var stmtMutations = []mutation{
	{"ColumnConverter lost", "stmt.go", `return converterStmt{s, cc}`, `_ = cc`},
	{"ColumnConverter hidden by a field", "stmt.go", `	converter driver.ColumnConverter
}

func (s converterStmt) ColumnConverter(index int) driver.ValueConverter {
	return s.converter.ColumnConverter(index)
}`, `	driver.ColumnConverter
}`},
	{"wrong column converted", "stmt.go", `s.converter.ColumnConverter(index)`, `s.converter.ColumnConverter(0)`},
	{"statement's NamedValueChecker lost", "stmt.go", `return checker.CheckNamedValue(nv)`, `_ = checker`},
	{"statement hides the connection's NamedValueChecker", "stmt.go", `return s.conn.CheckNamedValue(nv)`, `return driver.ErrSkip`},
	{"both NamedValueCheckers asked", "stmt.go", `return checker.CheckNamedValue(nv)`,
		`if err := checker.CheckNamedValue(nv); err != driver.ErrSkip {
			return err
		}`},
	{"number of inputs unknown", "stmt.go", `return s.inner.NumInput()`, `return -1`},
	{"statement not closed", "stmt.go", `err := s.inner.Close()`, `err := error(nil)`},
	{"error of a statement's close swallowed", "stmt.go", `err := s.inner.Close()`, `s.inner.Close()
	err := error(nil)`},
	{"StmtExecContext lost", "stmt.go", `return inner.ExecContext(ctx, args)`, `_ = inner`},
	{"StmtQueryContext lost", "stmt.go", `return inner.QueryContext(ctx, args)`, `_ = inner`},
	{"statement run with another context", "stmt.go", `return inner.QueryContext(ctx, args)`,
		`return inner.QueryContext(context.WithoutCancel(ctx), args)`},
	{"error of a statement's query replaced", "stmt.go", `return inner, err`, `return inner, driver.ErrBadConn`},
	{"legacy statement run without arguments", "stmt.go", `return s.inner.Exec(values)`, `return s.inner.Exec(values[:0])`},
	{"legacy statement queried without arguments", "stmt.go", `return s.inner.Query(values)`, `return s.inner.Query(values[:0])`},
	{"number of inputs asked twice", "stmt.go", `return s.inner.NumInput()`, `s.inner.NumInput()
	return s.inner.NumInput()`},
	{"statement closed twice", "stmt.go", `err := s.inner.Close()`, `s.inner.Close()
	err := s.inner.Close()`},
	{"what a statement's checker changes lost", "stmt.go", `return checker.CheckNamedValue(nv)`, `value := *nv
		return checker.CheckNamedValue(&value)`},
	{"ErrRemoveArgument of a statement's checker not honoured", "stmt.go", `return checker.CheckNamedValue(nv)`,
		`if err := checker.CheckNamedValue(nv); err != driver.ErrRemoveArgument {
			return err
		}
		return nil`},
	{"ColumnConverter claimed by all", "stmt.go", `	return s
}

// Unwrap`, `	return converterStmt{s, noConverter{}}
}

type noConverter struct{}

func (noConverter) ColumnConverter(int) driver.ValueConverter { return driver.DefaultParameterConverter }

// Unwrap`},
	{"statement run for an exec with another context", "stmt.go", `return inner.ExecContext(ctx, args)`,
		`return inner.ExecContext(context.WithoutCancel(ctx), args)`},
	{"ErrBadConn of a statement's exec hidden", "stmt.go", `return inner.ExecContext(ctx, args)`,
		`result, err := inner.ExecContext(ctx, args)
		if err == driver.ErrBadConn {
			err = context.Canceled
		}
		return result, err`},
	{"result of a statement wrapped", "stmt.go", `return inner.ExecContext(ctx, args)`,
		`result, err := inner.ExecContext(ctx, args)
		if err != nil {
			return nil, err
		}
		return struct{ driver.Result }{result}, nil`},
	{"statement's query retried", "stmt.go", `return inner.QueryContext(ctx, args)`,
		`rows, err := inner.QueryContext(ctx, args)
		if err == driver.ErrBadConn {
			rows, err = inner.QueryContext(ctx, args)
		}
		return rows, err`},
	{"error of a legacy statement's exec swallowed", "stmt.go", `return s.inner.Exec(values)`, `result, _ := s.inner.Exec(values)
	return result, nil`},
	{"error of a legacy statement's query replaced", "stmt.go", `return s.inner.Query(values)`, `rows, err := s.inner.Query(values)
	if err != nil {
		err = driver.ErrBadConn
	}
	return rows, err`},
}

// txMutations are defects of what is asked of transactions.
var txMutations = []mutation{
	{"isolation level ignored", "tx.go", `!= sql.LevelDefault`, `== sql.LevelDefault && false`},
	{"read-only ignored", "tx.go", `case opts.ReadOnly:`, `case false:`},
	{"read-only asked first", "tx.go", `sql.IsolationLevel(opts.Isolation) != sql.LevelDefault`,
		`!opts.ReadOnly && sql.IsolationLevel(opts.Isolation) != sql.LevelDefault`},
	{"isolation error in other words", "tx.go", `support non-default isolation level`, `support this isolation level`},
	{"read-only error in other words", "tx.go", `support read-only transactions`, `support read only transactions`},
	{"options dropped", "tx.go", `c.beginner.BeginTx(ctx, opts)`, `c.beginner.BeginTx(ctx, driver.TxOptions{})`},
	{"read-only dropped", "tx.go", `c.beginner.BeginTx(ctx, opts)`, `c.beginner.BeginTx(ctx, driver.TxOptions{Isolation: opts.Isolation})`},
	{"transaction begun with another context", "tx.go", `c.beginner.BeginTx(ctx, opts)`, `c.beginner.BeginTx(context.Background(), opts)`},
	{"context not checked after Begin", "tx.go", `	if err := ended(ctx); err != nil {
		t.Rollback()
		return nil, err
	}
`, ``},
	{"transaction left open after a late Begin", "tx.go", `		t.Rollback()
`, ``},
	{"commit rolls back", "tx.go", `err := t.inner.Commit()`, `err := t.inner.Rollback()`},
	{"error of commit swallowed", "tx.go", `err := t.inner.Commit()`, `t.inner.Commit()
	var err error`},
	{"error of rollback swallowed", "tx.go", `err := t.inner.Rollback()`, `t.inner.Rollback()
	err := error(nil)`},
	{"kept after a cancelled transaction", "tx.go", `return discarded{t.tx.Rollback()}`, `return t.tx.Rollback()`},
	{"discarded after every cancelled transaction", "tx.go", `if c.resetter == nil || c.valid == nil {`, `if true {`},
	{"kept without a Validator", "tx.go", `if c.resetter == nil || c.valid == nil {`, `if c.resetter == nil {`},
	{"kept without a SessionResetter", "tx.go", `if c.resetter == nil || c.valid == nil {`, `if c.valid == nil {`},
	{"discarded after every rollback", "tx.go", `if contextEnded() {`, `if contextEnded(); t.tx != nil {`},
	{"statements left open after a cancelled transaction", "tx.go", `return target == driver.ErrBadConn && !calledBy`,
		`return target == driver.ErrBadConn || calledBy`},
	{"statements closed on a broken connection", "tx.go", `func (d discarded) Unwrap() error { return d.err }`, ``},
	{"legacy Begin preferred", "tx.go", `case c.beginner != nil:`, `case c.beginner != nil && c.inner == nil:`},
	{"begun twice", "tx.go", `	t, err := c.inner.Begin()`, `	c.inner.Begin()
	t, err := c.inner.Begin()`},
	{"legacy Begin not asked if the context has ended", "tx.go", `	t, err := c.inner.Begin()`, `	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t, err := c.inner.Begin()`},
	{"ErrBadConn of BeginTx hidden", "tx.go", `return c.beginner.BeginTx(ctx, opts)`, `t, err := c.beginner.BeginTx(ctx, opts)
		if errors.Is(err, driver.ErrBadConn) {
			err = errors.New(err.Error())
		}
		return t, err`},
	{"error of Begin wrapped", "tx.go", `	inner, err := c.begin(ctx, opts)
	if err != nil {
		refused(c.rec, err)
		return nil, err`, `	inner, err := c.begin(ctx, opts)
	if err != nil {
		refused(c.rec, err)
		return nil, fmt.Errorf("begin: %w", err)`},
	{"commit twice", "tx.go", `err := t.inner.Commit()`, `t.inner.Commit()
	err := t.inner.Commit()`},
	{"ErrBadConn of commit hidden", "tx.go", `err := t.inner.Commit()`, `err := t.inner.Commit()
	if err != nil {
		err = errors.New(err.Error())
	}`},
	{"rolled back after a failed commit", "tx.go", `err := t.inner.Commit()`, `err := t.inner.Commit()
	if err != nil {
		t.inner.Rollback()
	}`},
	{"rolled back twice", "tx.go", `err := t.inner.Rollback()`, `t.inner.Rollback()
	err := t.inner.Rollback()`},
	{"not rolled back", "tx.go", `err := t.inner.Rollback()`, `err := error(nil)`},
	{"ErrBadConn of rollback hidden", "tx.go", `err := t.inner.Rollback()`, `err := t.inner.Rollback()
	if err != nil {
		err = errors.New(err.Error())
	}`},
	{"discarded without its error", "tx.go", `return discarded{t.tx.Rollback()}`, `t.tx.Rollback()
		return driver.ErrBadConn`},
}

// rowsMutations are defects of what is asked of rows.
var rowsMutations = []mutation{
	{"next result set lost", "rows.go", `	if !ok {
		return io.EOF`, `	if !ok || n != nil {
		return io.EOF`},
	{"has no next result set", "rows.go", `return n.HasNextResultSet()`, `_ = n`},
	{"next result set invented at the end", "rows.go", `		return n.HasNextResultSet()
	}
	return false`, `		return n.HasNextResultSet()
	}
	return true`},
	{"next result set invented", "rows.go", `	if !ok {
		return io.EOF`, `	if _ = io.EOF; !ok {
		return nil`},
	{"next result set fails", "rows.go", `		return io.EOF
`, `		return io.ErrUnexpectedEOF
`},
	{"scan type lost", "rows.go", `return t.ColumnTypeScanType(index)`, `_ = t`},
	{"scan type nil", "rows.go", `return reflect.TypeFor[any]()`, `return nil`},
	{"database type name lost", "rows.go", `return t.ColumnTypeDatabaseTypeName(index)`, `_ = t`},
	{"database type name invented", "rows.go", `return ""`, `return "UNKNOWN"`},
	{"length lost", "rows.go", `return t.ColumnTypeLength(index)`, `_ = t`},
	{"length invented", "rows.go", `return 0, false`, `return 0, true`},
	{"nullable lost", "rows.go", `return t.ColumnTypeNullable(index)`, `_ = t`},
	{"nullable invented", "rows.go", `return false, false`, `return false, true`},
	{"precision lost", "rows.go", `return t.ColumnTypePrecisionScale(index)`, `_ = t`},
	{"precision invented", "rows.go", `return 0, 0, false`, `return 0, 0, true`},
	{"statement used again while it is open", "spare.go", `	s := take(&c.spare.stmt)`, `	s := c.spare.stmt
	if s == nil {
		s = new(stmt)
	}`},
	{"rows not closed", "rows.go", `err := r.inner.Close()`, `err := error(nil)`},
	{"rows closed twice", "rows.go", `err := r.inner.Close()`, `r.inner.Close()
	err := r.inner.Close()`},
	{"error of the rows' close swallowed", "rows.go", `err := r.inner.Close()`, `r.inner.Close()
	err := error(nil)`},
	{"error of a row taken for the end", "rows.go", `err := r.inner.Next(dest)`, `err := r.inner.Next(dest)
	if err != nil {
		err = io.EOF
	}`},
	{"a row skipped", "rows.go", `err := r.inner.Next(dest)`, `r.inner.Next(dest)
	err := r.inner.Next(dest)`},
	{"columns asked once more", "rows.go", `return r.inner.Columns()`, `r.inner.Columns()
	return r.inner.Columns()`},
	{"rows made of nothing", "rows.go", `	if inner == nil {
		return nil`, `	if false {
		return nil`},
	{"error of the next result set swallowed", "rows.go", `return n.NextResultSet()`, `n.NextResultSet()
	return nil`},
	{"error of the next result set taken for the end", "rows.go", `return n.NextResultSet()`, `if n.NextResultSet() != nil {
		return io.EOF
	}
	return nil`},
	{"a result set skipped", "rows.go", `return n.NextResultSet()`, `n.NextResultSet()
	return n.NextResultSet()`},
	{"asked for the next result set before it is told of one", "rows.go", `return n.HasNextResultSet()`, `return n.NextResultSet() == nil`},
	{"scan type of another column", "rows.go", `return t.ColumnTypeScanType(index)`, `return t.ColumnTypeScanType(0)`},
	{"database type name of another column", "rows.go", `return t.ColumnTypeDatabaseTypeName(index)`, `return t.ColumnTypeDatabaseTypeName(0)`},
	{"length of another column", "rows.go", `return t.ColumnTypeLength(index)`, `return t.ColumnTypeLength(0)`},
	{"nullable of another column", "rows.go", `return t.ColumnTypeNullable(index)`, `return t.ColumnTypeNullable(0)`},
	{"precision of another column", "rows.go", `return t.ColumnTypePrecisionScale(index)`, `return t.ColumnTypePrecisionScale(0)`},
	{"scan type any for none", "rows.go", `return t.ColumnTypeScanType(index)`, `if own := t.ColumnTypeScanType(index); own != nil {
			return own
		}`},
	{"end of the rows in other words", "rows.go", `err := r.inner.Next(dest)`, `err := r.inner.Next(dest)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}`},
	{"ErrBadConn of a row hidden", "rows.go", `err := r.inner.Next(dest)`, `err := r.inner.Next(dest)
	if err == driver.ErrBadConn {
		err = io.ErrUnexpectedEOF
	}`},
	{"values of a row lost", "rows.go", `err := r.inner.Next(dest)`, `err := r.inner.Next(make([]driver.Value, len(dest)))`},
	{"rows closed at their end", "rows.go", `err := r.inner.Next(dest)`, `err := r.inner.Next(dest)
	if err != nil {
		r.inner.Close()
	}`},
	{"rows read to their end when they are closed", "rows.go", `err := r.inner.Close()`, `for r.inner.Next(make([]driver.Value, len(r.inner.Columns()))) == nil {
	}
	err := r.inner.Close()`},
	{"a column lost", "rows.go", `return r.inner.Columns()`, `columns := r.inner.Columns()
	return columns[:max(0, len(columns)-1)]`},
}
