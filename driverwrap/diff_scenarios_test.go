package driverwrap_test

//lint:file-ignore SA1019 applications use the legacy interfaces too

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
)

// diffScenarios are what random programs come by too rarely, or can't do as
// nothing could go on after it.
var diffScenarios = []struct {
	name string
	run  func(*diffRun)
}{
	{"a DB's transaction is cancelled", func(r *diffRun) { r.cancelTx(false, nil) }},
	{"a Conn's transaction is cancelled", func(r *diffRun) { r.cancelTx(true, nil) }},
	{"a Conn's transaction is cancelled and fails", func(r *diffRun) { r.cancelTx(true, diffErrors[6]) }},
	{"a Conn's transaction is cancelled and breaks", func(r *diffRun) { r.cancelTx(true, driver.ErrBadConn) }},
	{"the driver gives neither an object nor an error", diffNothing},
	{"the driver panics on a Conn", func(r *diffRun) { r.breakConn(fakedriver.Answer{Panic: "driver panic"}) }},
	{"the driver exits on a Conn", func(r *diffRun) { r.breakConn(fakedriver.Answer{Goexit: true}) }},
	{"a Conn is used without a context", diffNoContext},
	{"the pool connects by itself", diffOpener},
	{"the driver's own objects", diffRaw},
	{"recording stops", diffStop},
}

func TestDifferentialScenarios(t *testing.T) {
	for _, scenario := range diffScenarios {
		t.Run(scenario.name, func(t *testing.T) {
			diffParallel(t)
			for _, setup := range diffSetups()[:len(fakedriver.ConnSets())] {
				setup.compare(t, scenario.run)
			}
		})
	}
}

// TestDifferentialOpen has the driver refuse a data source.
func TestDifferentialOpen(t *testing.T) {
	for _, err := range diffErrors {
		setup := diffSetup{has: fakedriver.DriverContext, entry: entryDriver, refuses: err}
		setup.compare(t, func(*diffRun) {})
	}
}

// cancelTx ends the context of a transaction with statements, and looks what
// is left of all.
func (r *diffRun) cancelTx(onConn bool, rollback error) {
	ctx, cancel := context.WithCancel(context.Background())
	begin := r.db.BeginTx
	var conn *sql.Conn
	var tx *sql.Tx
	var stmts []*sql.Stmt
	prepare := func(stmt *sql.Stmt, err error) {
		r.logError(err)
		stmts = append(stmts, stmt)
	}
	r.step("begin", func() {
		prepare(r.db.Prepare("numbers"))
		if onConn {
			conn, _ = r.db.Conn(context.Background())
			begin = conn.BeginTx
			prepare(conn.PrepareContext(ctx, "numbers"))
		}
		tx, _ = begin(ctx, nil)
		prepare(tx.Prepare("numbers"))
		prepare(tx.Stmt(stmts[0]), nil)
	})
	r.step("cancel", func() {
		answer := fakedriver.Answer{Err: rollback}
		r.fake.Script(fakedriver.Rule{On: "tx", Method: "Rollback", Answer: answer}, fakedriver.Rule{On: "conn", Method: "Rollback", Answer: answer})
		cancel()
	})
	r.step("go on", func() {
		r.logError(tx.Commit())
		for _, stmt := range stmts {
			_, err := stmt.Exec()
			r.logError(err)
		}
		if onConn {
			_, err := conn.ExecContext(context.Background(), "numbers")
			r.logError(err)
			r.logError(conn.Close())
		}
	})
	r.step("close", func() {
		for _, stmt := range stmts {
			r.logError(stmt.Close())
		}
		r.logError(r.db.Close())
	})
}

// diffNothing has the driver break its contract.
func diffNothing(r *diffRun) {
	nothing := func(methods ...string) {
		var rules []fakedriver.Rule
		for _, method := range methods {
			rules = append(rules, fakedriver.Rule{Method: method, Answer: fakedriver.Answer{Nil: true}})
		}
		r.fake.Script(rules...)
	}
	r.step("rows", func() {
		nothing("Query", "QueryContext")
		rows, err := r.db.Query("numbers")
		r.logError(err)
		_, err = rows.Columns()
		r.logError(err)
		_, err = rows.ColumnTypes()
		r.logError(err)
		rows.Next()
	})
	r.step("statement", func() {
		nothing("Prepare", "PrepareContext")
		stmt, err := r.db.Prepare("numbers")
		r.logError(err)
		stmt.Exec()
	})
	r.step("transaction", func() {
		nothing("Begin", "BeginTx")
		tx, err := r.db.Begin()
		r.logError(err)
		tx.Commit()
	})
	r.step("result", func() {
		nothing("Exec", "ExecContext")
		result, err := r.db.Exec("numbers")
		r.logError(err)
		result.RowsAffected()
	})
	r.step("connection", func() {
		nothing("Connect", "Open")
		r.db.SetMaxIdleConns(-1)
		conn, err := r.db.Conn(context.Background())
		r.logError(err)
		r.logError(conn.PingContext(context.Background()))
		conn.ExecContext(context.Background(), "numbers")
	})
}

// breakConn lets the driver panic or exit in calls on a Conn, which stays
// locked: each gets its own, and nobody closes it.
func (r *diffRun) breakConn(answer fakedriver.Answer) {
	ctx := context.Background()
	for _, m := range []struct {
		method string
		call   func(*sql.Conn)
	}{
		{"Ping", func(c *sql.Conn) { c.PingContext(ctx) }},
		{"Query", func(c *sql.Conn) { c.QueryContext(ctx, "numbers") }},
		{"Begin", func(c *sql.Conn) { c.BeginTx(ctx, nil) }},
	} {
		r.step(m.method, func() {
			conn, err := r.db.Conn(ctx)
			r.logError(err)
			var rules []fakedriver.Rule
			for _, suffix := range []string{"", "Context", "Tx"} {
				rules = append(rules, fakedriver.Rule{Method: m.method + suffix, Answer: answer})
			}
			r.fake.Script(rules...)
			m.call(conn)
		})
	}
}

// diffNoContext passes nil for the context, which works on a Conn where neither
// database/sql nor the driver looks at it. Elsewhere it panics and keeps the
// Conn locked: each call gets its own.
func diffNoContext(r *diffRun) {
	var none context.Context
	for _, m := range []struct {
		name string
		call func(*sql.Conn) error
	}{
		{"ping", func(c *sql.Conn) error { return c.PingContext(none) }},
		{"exec", func(c *sql.Conn) error {
			_, err := c.ExecContext(none, "numbers")
			return err
		}},
		{"prepare", func(c *sql.Conn) error {
			stmt, err := c.PrepareContext(none, "numbers")
			if err != nil {
				return err
			}
			_, err = stmt.ExecContext(none)
			return errors.Join(err, stmt.Close())
		}},
		{"query", func(c *sql.Conn) error {
			_, err := c.QueryContext(none, "numbers")
			return err
		}},
	} {
		r.step(m.name, func() {
			conn, err := r.db.Conn(context.Background())
			r.logError(err)
			r.logError(m.call(conn))
			r.logError(conn.Close())
		})
	}
}

// diffOpener has a call wait for a connection, and the one that it could have
// discarded: the pool makes another one, with a context of its own.
func diffOpener(r *diffRun) {
	r.step("conn", func() {
		r.db.SetMaxOpenConns(1)
		conn, err := r.db.Conn(context.Background())
		r.opened(&diffHandle{kind: "conn", conn: conn}, err)
	})
	r.step("wait", func() {
		r.fake.Script(fakedriver.Rule{On: "conn", Method: "IsValid", Answer: fakedriver.Answer{Value: false}})
		c := r.context(ctxCancel, nil)
		_, err := r.db.ExecContext(c.Context, "numbers")
		r.logError(err)
	})
}

// diffRaw uses the connection as applications do that know the driver: with
// what database/sql knows nothing of, and by all interfaces that it has.
func diffRaw(r *diffRun) {
	ctx := context.Background()
	r.step("raw", func() {
		conn, err := r.db.Conn(ctx)
		r.logError(err)
		defer conn.Close()
		r.logError(conn.Raw(func(c any) error {
			if r.fake.Has.Has(fakedriver.ExecerContext) {
				r.ownResult(c.(driver.ExecerContext).ExecContext(ctx, "numbers", nil))
			}
			if r.fake.Has.Has(fakedriver.Execer) {
				r.ownResult(c.(driver.Execer).Exec("numbers", []driver.Value{"text"}))
			}
			if r.fake.Has.Has(fakedriver.QueryerContext) {
				r.allRows(c.(driver.QueryerContext).QueryContext(ctx, "numbers", nil))
			}
			if r.fake.Has.Has(fakedriver.Queryer) {
				r.allRows(c.(driver.Queryer).Query("numbers", []driver.Value{"text"}))
			}
			prepare := c.(driver.Conn).Prepare
			if r.fake.Has.Has(fakedriver.ConnPrepareContext) {
				prepare = func(query string) (driver.Stmt, error) {
					return c.(driver.ConnPrepareContext).PrepareContext(ctx, query)
				}
			}
			stmt, err := prepare("numbers")
			if err != nil {
				return err
			}
			if r.fake.Has.Has(fakedriver.StmtExecContext) {
				r.ownResult(stmt.(driver.StmtExecContext).ExecContext(ctx, nil))
			}
			return stmt.Close()
		}))
	})
}

func (r *diffRun) allRows(rows driver.Rows, err error) {
	r.logError(err)
	for dest := make([]driver.Value, len(rows.Columns())); rows.Next(dest) == nil; {
		r.log("%v", dest)
	}
	r.logError(rows.Close())
}

func (r *diffRun) ownResult(result driver.Result, err error) {
	r.logError(err)
	own, ok := result.(interface{ AllRowsAffected() []int64 })
	r.log("the result is the driver's own: %v", ok)
	if ok {
		r.log("%v", own.AllRowsAffected())
	}
}

// diffStop ends recording while handles are open.
func diffStop(r *diffRun) {
	open := func() {
		for _, op := range []string{"conn", "begin", "query", "prepare", "stmtQuery", "exec"} {
			r.step(op, func() { r.do(diffOp{name: op, query: 1, ctx: ctxCancel}) })
		}
	}
	open()
	r.step("stop", r.stop)
	open()
}
