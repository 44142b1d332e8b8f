package driverwrap_test

// sessionMutations are defects of what is told about what statements leave
// behind, and about errors.
var sessionMutations = []mutation{
	{"texts of exec not told", "conn.go", `	result, err := c.execCtx.ExecContext(ctx, query, args)
	if !session.Everyday(query) || c.rec.Dirty() {`, `	result, err := c.execCtx.ExecContext(ctx, query, args)
	if false {`},
	{"texts of query not told", "conn.go", `	inner, err := c.queryCtx.QueryContext(ctx, query, args)
	if !session.Everyday(query) || c.rec.Dirty() {`, `	inner, err := c.queryCtx.QueryContext(ctx, query, args)
	if false {`},
	{"texts of a statement not told", "stmt.go", `	result, err := s.exec(ctx, args)
	if !session.Everyday(s.text) || s.conn.rec.Dirty() {`, `	result, err := s.exec(ctx, args)
	if false {`},
	{"errors of a statement told as success", "session.go", `switch err {`, `switch error(nil) {`},
	{"ErrSkip told as an error", "session.go", `case driver.ErrSkip:`, `case driver.ErrRemoveArgument:`},
	{"every error survived", "session.go", `return session.Survives(err, c.dialect())`, `return true`},
	{"no error survived", "session.go", `return session.Survives(err, c.dialect())`, `return false`},
	{"error of a row not told", "rows.go", `	r.Leave()
	if err != nil && r.Dirty() {`, `	r.Leave()
	if false {`},
	{"transaction in a transaction not told", "tx.go", `c.rec.Settled(session.Tx | session.Tables)`, `c.rec.Settled(0 * session.Tx)`},
	{"dialect not told by the name of the driver", "session.go", `return session.DialectOf(c.rec.Driver())`, `return session.Unknown`},
	{"refused connection not told", "refused.go", `c.pool.Refused(r)`, `_ = r`},
	{"connection refused to a probe not told", "connector.go", `probe.Connect(ctx, c.inner)
	if err != nil {
		c.refused(err)`, `probe.Connect(ctx, c.inner)
	if err != nil {`},
	{"refused connection told twice", "refused.go", `connectors > 1`, `connectors > 99`},
	{"refused exec not told", "conn.go", `		refused(c.rec, err)
	}
	return result, err`, `	}
	return result, err`},
	{"refused query of a statement not told", "stmt.go", `		refused(s.conn.rec, err)
		return inner, err`, `		return inner, err`},
	{"refused commit not told", "tx.go", `refused(&t.Anchor, err)`, ``},
	{"refusal of a row not told", "rows.go", `refused(&r.Anchor, err)`, ``},
	{"use by others not told", "conn.go", `	c.rec.Unseen()
	return c.inner`, `	_ = session.All
	return c.inner`},
}
