package driverwrap_test

// connMutations are defects of what is asked of connections.
var connMutations = []mutation{
	{"Pinger lost", "conn.go", `c.pinger, _ = inner.(driver.Pinger)`, ``},
	{"ConnPrepareContext lost", "conn.go", `c.preparer, _ = inner.(driver.ConnPrepareContext)`, ``},
	{"ConnBeginTx lost", "conn.go", `c.beginner, _ = inner.(driver.ConnBeginTx)`, ``},
	{"SessionResetter lost", "conn.go", `c.resetter, _ = inner.(driver.SessionResetter)`, ``},
	{"Validator lost", "conn.go", `c.valid, _ = inner.(driver.Validator)`, ``},
	{"connection's NamedValueChecker lost", "conn.go", `c.checker, _ = inner.(driver.NamedValueChecker)`, ``},
	{"ExecerContext lost if there is a QueryerContext", "conn.go", `return execQueryConn{c}`, `return queryConn{c}`},
	{"QueryerContext lost if there is an ExecerContext", "conn.go", `return execQueryConn{c}`, `return execConn{c}`},
	{"ExecerContext lost if alone", "conn.go", `return execConn{c}`, `return c`},
	{"QueryerContext lost if alone", "conn.go", `return queryConn{c}`, `return c`},
	{"fast paths claimed by all", "conn.go", `		return queryConn{c}
	}
	return c
`, `		return queryConn{c}
	}
	return execQueryConn{c}
`},
	{"Execer lost", "legacy.go", `return legacyExecer{e}`, `_ = e`},
	{"Queryer lost", "legacy.go", `return legacyQueryer{q}`, `_ = q`},
	{"Execer preferred", "legacy.go", `if e, ok := c.(driver.ExecerContext); ok {`,
		`if e, ok := c.(driver.Execer); ok {
		return legacyExecer{e}
	}
	if e, ok := c.(driver.ExecerContext); ok {`},
	{"Queryer preferred", "legacy.go", `if q, ok := c.(driver.QueryerContext); ok {`,
		`if q, ok := c.(driver.Queryer); ok {
		return legacyQueryer{q}
	}
	if q, ok := c.(driver.QueryerContext); ok {`},
	{"exec fast path claimed by all, skipping", "legacy.go", `		return legacyExecer{e}
	}
	return nil
}`, `		return legacyExecer{e}
	}
	return noExecer{}
}

type noExecer struct{}

func (noExecer) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return nil, driver.ErrSkip
}`},
	{"query fast path claimed by all, skipping", "legacy.go", `		return legacyQueryer{q}
	}
	return nil
}`, `		return legacyQueryer{q}
	}
	return noQueryer{}
}

type noQueryer struct{}

func (noQueryer) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return nil, driver.ErrSkip
}`},
	{"named arguments let through", "legacy.go", `if nv.Name != "" {`, `if nv.Name == "\x00" {`},
	{"error of named arguments in other words", "legacy.go", `the use of Named Parameters`, `named parameters`},
	{"context not checked before a legacy call", "legacy.go", `return values, ended(ctx)`, `return values, nil`},
	{"context asked for an error before its end", "legacy.go", `	select {
	case <-ctx.Done():
		return ctx.Err()
	default:
		return nil
	}`, `	return ctx.Err()`},

	{"reset swallows an error", "conn.go", `	err := c.resetter.ResetSession(ctx)
`, `	err := c.resetter.ResetSession(ctx)
	if err != driver.ErrBadConn {
		return nil
	}
`},
	{"reset hides that the connection is bad", "conn.go", `	err := c.resetter.ResetSession(ctx)
`, `	err := c.resetter.ResetSession(ctx)
	if err != nil {
		err = errors.New(err.Error())
	}
`},
	{"reset skipped", "conn.go", `	err := c.resetter.ResetSession(ctx)
`, `	var err error
`},
	{"reset with another context", "conn.go", `c.resetter.ResetSession(ctx)`, `c.resetter.ResetSession(context.WithoutCancel(ctx))`},
	{"always valid", "conn.go", `return c.valid == nil || c.valid.IsValid()`, `return true`},
	{"not valid without a Validator", "conn.go", `return c.valid == nil || c.valid.IsValid()`, `return c.valid != nil && c.valid.IsValid()`},
	{"asked twice whether it is valid", "conn.go", `return c.valid == nil || c.valid.IsValid()`,
		`return c.valid == nil || c.valid.IsValid() && c.valid.IsValid()`},
	{"connection not closed", "conn.go", `return c.inner.Close()`, `return nil`},
	{"close swallows the error", "conn.go", `return c.inner.Close()`, `c.inner.Close()
	return nil`},
	{"ping swallows the error", "conn.go", `return c.pinger.Ping(ctx)`, `c.pinger.Ping(ctx)
	return nil`},
	{"ping without a Pinger answers ErrSkip", "conn.go", `	if c.pinger == nil {
		return nil
	}`, `	if c.pinger == nil {
		return driver.ErrSkip
	}`},
	{"a connection without NamedValueChecker accepts all", "conn.go", `		return driver.ErrSkip
`, `		return nil
`},
	{"ErrRemoveArgument not honoured", "conn.go", `return c.checker.CheckNamedValue(nv)`,
		`if err := c.checker.CheckNamedValue(nv); err != driver.ErrRemoveArgument {
		return err
	}
	return nil`},
	{"ErrSkip of a checker taken for consent", "conn.go", `return c.checker.CheckNamedValue(nv)`,
		`if err := c.checker.CheckNamedValue(nv); err != driver.ErrSkip {
		return err
	}
	return nil`},
	{"context not checked after Prepare", "conn.go", `	if err := ended(ctx); err != nil {
		s.Close()
		return nil, err
	}
`, ``},
	{"statement left open after a late Prepare", "conn.go", `		s.Close()
`, ``},
	{"Prepare with another context", "conn.go", `c.preparer.PrepareContext(ctx, query)`, `c.preparer.PrepareContext(context.Background(), query)`},
	{"error of Prepare wrapped", "conn.go", `	inner, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err`, `	inner, err := c.prepare(ctx, query)
	if err != nil {
		return nil, errors.Join(err)`},
	{"ErrBadConn of Prepare hidden", "conn.go", `	inner, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err`, `	inner, err := c.prepare(ctx, query)
	if err != nil {
		return nil, errors.New(err.Error())`},
	{"ErrSkip of exec wrapped", "conn.go", `	return c.execCtx.ExecContext(ctx, query, args)`,
		`	result, err := c.execCtx.ExecContext(ctx, query, args)
	if err == driver.ErrSkip {
		err = errors.Join(err)
	}
	return result, err`},
	{"error of exec wrapped", "conn.go", `	return c.execCtx.ExecContext(ctx, query, args)`,
		`	result, err := c.execCtx.ExecContext(ctx, query, args)
	if err != nil && err != driver.ErrSkip {
		err = errors.Join(err)
	}
	return result, err`},
	{"exec with another context", "conn.go", `c.execCtx.ExecContext(ctx, query, args)`, `c.execCtx.ExecContext(context.WithoutCancel(ctx), query, args)`},
	{"result wrapped", "conn.go", `	return c.execCtx.ExecContext(ctx, query, args)`,
		`	result, err := c.execCtx.ExecContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return struct{ driver.Result }{result}, nil`},
	{"ErrBadConn of query hidden", "conn.go", `	if err != nil {
		return inner, err
	}
	return c.wrapRows`, `	if err == driver.ErrBadConn {
		err = errors.New(err.Error())
	}
	if err != nil {
		return inner, err
	}
	return c.wrapRows`},
	{"query retried", "conn.go", `	if err != nil {
		return inner, err
	}
	return c.wrapRows`, `	if err == driver.ErrBadConn {
		inner, err = c.queryCtx.QueryContext(ctx, query, args)
	}
	if err != nil {
		return inner, err
	}
	return c.wrapRows`},
}
