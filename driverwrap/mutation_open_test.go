package driverwrap_test

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
	{"error of OpenConnector replaced", "open.go", `return dc.OpenConnector(dsn)`, `c, err := dc.OpenConnector(dsn)
		if err != nil {
			err = errors.New(err.Error())
		}
		return c, err`},
	{"asked twice for a connector", "open.go", `return dc.OpenConnector(dsn)`, `dc.OpenConnector(dsn)
		return dc.OpenConnector(dsn)`},
	{"connector's data source lost", "open.go", `return dc.OpenConnector(dsn)`, `return dc.OpenConnector("")`},
	{"connector closed twice", "connector.go", `return closer.Close()`, `closer.Close()
		return closer.Close()`},
	{"connected twice", "connector.go", `inner, err := c.inner.Connect(ctx)`, `c.inner.Connect(ctx)
	inner, err := c.inner.Connect(ctx)`},
	{"error of Connect replaced", "connector.go", `inner, err := c.inner.Connect(ctx)`, `inner, err := c.inner.Connect(ctx)
	if err != nil && err != driver.ErrBadConn {
		err = io.ErrUnexpectedEOF
	}`},
	{"connected again after ErrBadConn", "connector.go", `inner, err := c.inner.Connect(ctx)`, `inner, err := c.inner.Connect(ctx)
	if err == driver.ErrBadConn {
		inner, err = c.inner.Connect(ctx)
	}`},
	{"data source lost", "open.go", `dsnConnector{dsn: dsn, driver: d}`, `dsnConnector{driver: d}`},
}...)

// ruleMutations are defects of what the wrapper promises beyond the bare
// driver's answers.
var ruleMutations = []mutation{
	{"rows used again while they are open", "spare.go", `	r := take(&c.spare.rows)`, `	r := c.spare.rows
	if r == nil {
		r = new(rows)
	}`},
	{"statements used again that others have", "stmt.go", `if s.Sole() {`, `if true {`},
	{"rows used again that others have", "rows.go", `if r.conn != nil && r.Sole() {`, `if r.conn != nil {`},
	{"options of a registered driver lost", "open.go", `known.driver.options.with(opts)`, `newOptions(opts)`},
	{"options of a wrapped driver lost", "open.go", `d, o = w.inner, w.options.with(opts)`, `d = w.inner`},
	{"new options for a wrapped driver lost", "open.go", `d, o = w.inner, w.options.with(opts)`, `d, o = w.inner, w.options`},
	{"options of a wrapped connector lost", "connector.go", `return w.inner, w.options.with(opts)`, `return w.inner, newOptions(opts)`},
	{"new options for a wrapped connector lost", "connector.go", `return w.inner, w.options.with(opts)`, `return w.inner, w.options`},
	{"a wrapped connector wrapped twice", "connector.go", `return w.inner, w.options.with(opts)`, `return w, w.options.with(opts)`},
	{"a DB for a wrapped driver's own DB", "open.go", `return nil, wrappedAlready{w}`, `_ = wrappedAlready{w}`},
	{"sql.Open not recognised", "open.go", `sqlOpenFunction = "database/sql.Open"`, `sqlOpenFunction = "database/sql.OpenDB"`},
	{"everybody taken for sql.Open", "open.go", `calledBy(sqlOpenFunction, func(string) bool { return false })`, `w != nil`},
	{"DB of a connector expected", "connector.go", `o.preparePool(subject(inner))`, `o.openPool(subject(inner))`},
	{"record in another's wrapper kept", "unwrap.go", `if rec != nil {`, `if rec != nil && c == nil {`},
	{"what a probe learned lost", "connector.go", `rec.SetServerID(id)`, `_ = id`},
	{"what a probe learned lost with a record", "unwrap.go", `rec.SetServerID(c.rec.TakeServerID())`, `_ = c.rec.TakeServerID()`},
	{"probe not asked", "connector.go", `if c.options.probe != nil {`, `if c.options.probe != nil && c == nil {`},
	{"record in another's wrapper not found", "connector.go", `own != nil {`, `own != nil && rec == nil {`},
	{"counters of database/sql not shown", "open.go", `return db.Stats(), true`, `return sql.DBStats{}, false`},
	{"pool of a lone connection left", "open.go", `	pool.Close()
`, ``},
	{"connection opened alone recorded again", "open.go", `recordConn(inner, `, `wrapConn(inner, `},
	{"panic of a connector's Driver passed on", "open.go", `	defer func() { recover() }()
`, ``},
	{"connector that tells no driver not named", "open.go", `	if d := driverOf(c); d != nil {
		return d
	}
	return c`, `	return driverOf(c)`},
	{"driver that nobody tells used", "open.go", `	if d == nil {
`, `	if false {
`},
	{"DB that wasn't asked for left open", "open.go", `	bare.Close() //`, `	//`},
	{"error about a DB that wasn't asked for", "open.go", `	bare.Close() //`, `	if err := bare.Close(); err != nil {
		return nil, err
	}
	//`},
	{"nil connector not seen", "connector.go", `r.Kind() == reflect.Pointer && r.IsNil()`, `r.Kind() == reflect.Invalid`},
	{"bare connection idle", "unwrap.go", `own.rec.Enter(record.OpRaw)`, `own.rec.Leave()`},
	{"broken bare connection kept", "unwrap.go", `return errors.Join(err, driver.ErrBadConn)`, `return err`},
	{"DB of a bare connection left open", "unwrap.go", `db.Close() // not`, `// not`},
	{"Raw() not known", "unwrap.go", `return w.Raw()`, `return nil`},
	{"Unwrap() not known", "unwrap.go", `	case interface{ Unwrap() driver.Conn }:
		return w.Unwrap()`, `	case interface{ Unwrap() driver.Conn }:
		return nil`},
	{"WrappedConn() not known", "unwrap.go", `return w.WrappedConn()`, `return nil`},
	{"one wrapper taken off", "unwrap.go", `		v = inner
	}`, `		v = inner
		break
	}`},
}
