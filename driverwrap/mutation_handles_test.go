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
	{"statement not closed", "stmt.go", `return s.inner.Close()`, `return nil`},
	{"error of a statement's close swallowed", "stmt.go", `return s.inner.Close()`, `s.inner.Close()
	return nil`},
	{"StmtExecContext lost", "stmt.go", `return inner.ExecContext(ctx, args)`, `_ = inner`},
	{"StmtQueryContext lost", "stmt.go", `return inner.QueryContext(ctx, args)`, `_ = inner`},
	{"statement run with another context", "stmt.go", `return inner.QueryContext(ctx, args)`,
		`return inner.QueryContext(context.WithoutCancel(ctx), args)`},
	{"error of a statement's query replaced", "stmt.go", `return inner, err`, `return inner, driver.ErrBadConn`},
	{"legacy statement run without arguments", "stmt.go", `return s.inner.Exec(values)`, `return s.inner.Exec(values[:0])`},
	{"legacy statement queried without arguments", "stmt.go", `return s.inner.Query(values)`, `return s.inner.Query(values[:0])`},
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
	{"commit rolls back", "tx.go", `return t.inner.Commit()`, `return t.inner.Rollback()`},
	{"error of commit swallowed", "tx.go", `return t.inner.Commit()`, `t.inner.Commit()
	return nil`},
	{"error of rollback swallowed", "tx.go", `		return discarded{err}
	}
	return err`, `		return discarded{err}
	}
	return nil`},
	{"kept after a cancelled transaction", "tx.go", `return discarded{err}`, `return err`},
	{"discarded after every cancelled transaction", "tx.go", `(c.resetter == nil || c.valid == nil) && contextEnded()`, `contextEnded()`},
	{"kept without a Validator", "tx.go", `(c.resetter == nil || c.valid == nil) && contextEnded()`, `c.resetter == nil && contextEnded()`},
	{"kept without a SessionResetter", "tx.go", `(c.resetter == nil || c.valid == nil) && contextEnded()`, `c.valid == nil && contextEnded()`},
	{"discarded after every rollback", "tx.go", `(c.resetter == nil || c.valid == nil) && contextEnded()`, `c.resetter == nil || c.valid == nil`},
	{"statements left open after a cancelled transaction", "tx.go", `return target == driver.ErrBadConn && !calledBy`,
		`return target == driver.ErrBadConn || calledBy`},
	{"statements closed on a broken connection", "tx.go", `func (d discarded) Unwrap() error { return d.err }`, ``},
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
	{"rows not closed", "rows.go", `return r.inner.Close()`, `return nil`},
	{"rows closed twice", "rows.go", `return r.inner.Close()`, `r.inner.Close()
	return r.inner.Close()`},
	{"error of the rows' close swallowed", "rows.go", `return r.inner.Close()`, `r.inner.Close()
	return nil`},
	{"error of a row taken for the end", "rows.go", `return r.inner.Next(dest)`, `if err := r.inner.Next(dest); err != nil {
		return io.EOF
	}
	return nil`},
	{"a row skipped", "rows.go", `return r.inner.Next(dest)`, `r.inner.Next(dest)
	return r.inner.Next(dest)`},
	{"columns asked once more", "rows.go", `return r.inner.Columns()`, `r.inner.Columns()
	return r.inner.Columns()`},
	{"rows made of nothing", "rows.go", `	if inner == nil {
		return nil`, `	if false {
		return nil`},
}

// openMutations are defects of what is asked of drivers and connectors.
var openMutations = append(scannerMutations, []mutation{
	{"connector's Close lost", "connector.go", `return closer.Close()`, `_ = closer`},
	{"error of the connector's Close swallowed", "connector.go", `return closer.Close()`, `closer.Close()`},
	{"connected with another context", "connector.go", `c.inner.Connect(ctx)`, `c.inner.Connect(context.Background())`},
	{"ErrBadConn of Connect hidden", "connector.go", `inner, err := c.inner.Connect(ctx)`,
		`inner, err := c.inner.Connect(ctx)
	if err == driver.ErrBadConn {
		err = io.ErrUnexpectedEOF
	}`},
	{"driver wrapped where it is shown", "connector.go", `return c.inner.Driver()`, `return &wrapped{inner: c.inner.Driver()}`},
	{"DriverContext lost", "open.go", `if dc, ok := d.(driver.DriverContext); ok {`, `if dc, ok := d.(driver.DriverContext); ok && dc == nil {`},
	{"error of OpenConnector replaced", "open.go", `		c, err := dc.OpenConnector(dsn)
		if err != nil {
			return nil, err`, `		c, err := dc.OpenConnector(dsn)
		if err != nil {
			return nil, errors.New(err.Error())`},
	{"data source lost", "open.go", `dsnConnector{dsn: dsn, driver: d}`, `dsnConnector{driver: d}`},
}...)
