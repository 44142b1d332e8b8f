package driverwrap_test

// connMutations are defects of what is asked of connections.
var connMutations = []mutation{
	{"Pinger lost", "conn.go", `c.pinger, _ = inner.(driver.Pinger)`, ``},
	{"ConnPrepareContext lost", "conn.go", `c.preparer, _ = inner.(driver.ConnPrepareContext)`, ``},
	{"ConnBeginTx lost", "conn.go", `c.beginner, _ = inner.(driver.ConnBeginTx)`, ``},
	{"SessionResetter lost", "conn.go", `c.resetter, _ = inner.(driver.SessionResetter)`, ``},
	{"Validator lost", "conn.go", `c.valid, _ = inner.(driver.Validator)`, ``},
	{"connection's NamedValueChecker lost", "conn.go", `c.checker, _ = inner.(driver.NamedValueChecker)`, ``},
	{"ExecerContext lost if there is a QueryerContext", "conn.go", `return &execQueryConn{queryConn{c}}`, `return &queryConn{c}`},
	{"QueryerContext lost if there is an ExecerContext", "conn.go", `return &execQueryConn{queryConn{c}}`, `return &execConn{c}`},
	{"ExecerContext lost if alone", "conn.go", `return &execConn{c}`, `return &c`},
	{"QueryerContext lost if alone", "conn.go", `return &queryConn{c}`, `return &c`},
	{"fast paths claimed by all", "conn.go", `		return &queryConn{c}
	}
	return &c
`, `		return &queryConn{c}
	}
	return &execQueryConn{queryConn{c}}
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
		refused(c.rec, err)
		return nil, err`, `	inner, err := c.prepare(ctx, query)
	if err != nil {
		refused(c.rec, err)
		return nil, errors.Join(err)`},
	{"ErrBadConn of Prepare hidden", "conn.go", `	inner, err := c.prepare(ctx, query)
	if err != nil {
		refused(c.rec, err)
		return nil, err`, `	inner, err := c.prepare(ctx, query)
	if err != nil {
		refused(c.rec, err)
		return nil, errors.New(err.Error())`},
	{"ErrSkip of exec wrapped", "conn.go", `	result, err := c.execCtx.ExecContext(ctx, query, args)`,
		`	result, err := c.execCtx.ExecContext(ctx, query, args)
	if err == driver.ErrSkip {
		err = errors.Join(err)
	}`},
	{"error of exec wrapped", "conn.go", `	result, err := c.execCtx.ExecContext(ctx, query, args)`,
		`	result, err := c.execCtx.ExecContext(ctx, query, args)
	if err != nil && err != driver.ErrSkip {
		err = errors.Join(err)
	}`},
	{"exec with another context", "conn.go", `c.execCtx.ExecContext(ctx, query, args)`, `c.execCtx.ExecContext(context.WithoutCancel(ctx), query, args)`},
	{"result wrapped", "conn.go", `	result, err := c.execCtx.ExecContext(ctx, query, args)`,
		`	result, err := c.execCtx.ExecContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return struct{ driver.Result }{result}, nil`},
	{"ErrBadConn of query hidden", "conn.go", `	if err != nil {
		refused(c.rec, err)
		return inner, err
	}
	if inner == nil {`, `	if err == driver.ErrBadConn {
		err = errors.New(err.Error())
	}
	if err != nil {
		refused(c.rec, err)
		return inner, err
	}
	if inner == nil {`},
	{"query retried", "conn.go", `	if err != nil {
		refused(c.rec, err)
		return inner, err
	}
	if inner == nil {`, `	if err == driver.ErrBadConn {
		inner, err = c.queryCtx.QueryContext(ctx, query, args)
	}
	if err != nil {
		refused(c.rec, err)
		return inner, err
	}
	if inner == nil {`},

	{"ErrBadConn without a SessionResetter", "conn.go", `	if c.resetter == nil {
		return nil
	}`, `	if c.resetter == nil {
		return driver.ErrBadConn
	}`},
	{"reset twice", "conn.go", `	err := c.resetter.ResetSession(ctx)
`, `	c.resetter.ResetSession(ctx)
	err := c.resetter.ResetSession(ctx)
`},
	{"validated when it is reset", "conn.go", `	err := c.resetter.ResetSession(ctx)
`, `	if c.valid != nil && !c.valid.IsValid() {
		return driver.ErrBadConn
	}
	err := c.resetter.ResetSession(ctx)
`},
	{"connection closed twice", "conn.go", `return c.inner.Close()`, `c.inner.Close()
	return c.inner.Close()`},
	{"close with another error", "conn.go", `return c.inner.Close()`, `if c.inner.Close() != nil {
		return driver.ErrBadConn
	}
	return nil`},
	{"ping with another context", "conn.go", `return c.pinger.Ping(ctx)`, `return c.pinger.Ping(context.WithoutCancel(ctx))`},
	{"ErrBadConn of ping hidden", "conn.go", `return c.pinger.Ping(ctx)`, `if err := c.pinger.Ping(ctx); err != nil {
		return errors.New(err.Error())
	}
	return nil`},
	{"ErrSkip of ping taken for success", "conn.go", `return c.pinger.Ping(ctx)`, `if err := c.pinger.Ping(ctx); err != driver.ErrSkip {
		return err
	}
	return nil`},
	{"ping twice", "conn.go", `return c.pinger.Ping(ctx)`, `c.pinger.Ping(ctx)
	return c.pinger.Ping(ctx)`},
	{"what a checker changes lost", "conn.go", `return c.checker.CheckNamedValue(nv)`, `value := *nv
	return c.checker.CheckNamedValue(&value)`},
	{"checked twice", "conn.go", `return c.checker.CheckNamedValue(nv)`, `c.checker.CheckNamedValue(nv)
	return c.checker.CheckNamedValue(nv)`},
	{"error of a checker replaced", "conn.go", `return c.checker.CheckNamedValue(nv)`, `if err := c.checker.CheckNamedValue(nv); err == driver.ErrSkip || err == driver.ErrRemoveArgument {
		return err
	} else if err != nil {
		return errors.New(err.Error())
	}
	return nil`},
	{"legacy Prepare preferred", "conn.go", `if c.preparer != nil {`, `if c.preparer != nil && c.inner == nil {`},
	{"Prepare without its context", "conn.go", `c.preparer.PrepareContext(ctx, query)`, `c.inner.Prepare(query)`},
	{"legacy Prepare not asked if the context has ended", "conn.go", `s, err := c.inner.Prepare(query)`, `if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s, err := c.inner.Prepare(query)`},
	{"query of a legacy Prepare lost", "conn.go", `c.inner.Prepare(query)`, `c.inner.Prepare("")`},
	{"error of Prepare swallowed", "conn.go", `	inner, err := c.prepare(ctx, query)
	if err != nil {
		refused(c.rec, err)
		return nil, err`, `	inner, err := c.prepare(ctx, query)
	if err != nil {
		return nil, nil`},
	{"ErrBadConn of exec hidden", "conn.go", `	result, err := c.execCtx.ExecContext(ctx, query, args)`,
		`	result, err := c.execCtx.ExecContext(ctx, query, args)
	if err == driver.ErrBadConn {
		err = errors.New(err.Error())
	}`},
	{"exec retried", "conn.go", `	result, err := c.execCtx.ExecContext(ctx, query, args)`,
		`	result, err := c.execCtx.ExecContext(ctx, query, args)
	if errors.Is(err, driver.ErrBadConn) {
		return c.execCtx.ExecContext(ctx, query, args)
	}`},
	{"exec with one argument more", "conn.go", `c.execCtx.ExecContext(ctx, query, args)`, `c.execCtx.ExecContext(ctx, query, append(args, driver.NamedValue{Ordinal: len(args) + 1}))`},
	{"exec without the names", "conn.go", `	result, err := c.execCtx.ExecContext(ctx, query, args)`,
		`	for i := range args {
		args[i].Name = ""
	}
	result, err := c.execCtx.ExecContext(ctx, query, args)`},
	{"exec prepares", "conn.go", `	result, err := c.execCtx.ExecContext(ctx, query, args)`, `	result, err := driver.Result(nil), error(driver.ErrSkip)`},
	{"query prepares", "conn.go", `c.queryCtx.QueryContext(ctx, query, args)`, `driver.Rows(nil), error(driver.ErrSkip)`},
	{"query with another context", "conn.go", `c.queryCtx.QueryContext(ctx, query, args)`, `c.queryCtx.QueryContext(context.WithoutCancel(ctx), query, args)`},
	{"rows refused if the context has ended", "conn.go", `	if inner == nil {`, `	if err := ctx.Err(); err != nil {
		inner.Close()
		return nil, err
	}
	if inner == nil {`},
	{"ErrSkip of query wrapped", "conn.go", `	if err != nil {
		refused(c.rec, err)
		return inner, err
	}
	if inner == nil {`, `	if err != nil {
		return inner, errors.Join(err)
	}
	if inner == nil {`},

	{"query of a legacy exec lost", "legacy.go", `return e.Exec(query, values)`, `return e.Exec("", values)`},
	{"arguments of a legacy exec lost", "legacy.go", `return e.Exec(query, values)`, `return e.Exec(query, values[:0])`},
	{"arguments of a legacy query lost", "legacy.go", `return q.Query(query, values)`, `return q.Query(query, values[:0])`},
	{"ErrSkip of a legacy exec wrapped", "legacy.go", `return e.Exec(query, values)`, `result, err := e.Exec(query, values)
	if err != nil {
		err = errors.Join(err)
	}
	return result, err`},
	{"ErrSkip of a legacy query wrapped", "legacy.go", `return q.Query(query, values)`, `rows, err := q.Query(query, values)
	if err != nil {
		err = errors.Join(err)
	}
	return rows, err`},
	{"Execer not shown", "legacy.go", `e, ok := c.inner.(driver.Execer)`, `e, ok := driver.Execer(nil), false`},
	{"Queryer not shown", "legacy.go", `q, ok := c.inner.(driver.Queryer)`, `q, ok := driver.Queryer(nil), false`},
	{"context checked before the names", "legacy.go", `	values := make([]driver.Value, len(named))
`, `	if err := ended(ctx); err != nil {
		return nil, err
	}
	values := make([]driver.Value, len(named))
`},
	{"cause of the context's end given for its error", "legacy.go", `return ctx.Err()`, `return context.Canceled`},
}
