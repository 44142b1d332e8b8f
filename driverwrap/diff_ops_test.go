package driverwrap_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// run runs a program.
func (r *diffRun) run(p diffProgram) {
	for i, op := range p.ops() {
		r.step(fmt.Sprintf("%d %s", i, op.name), func() { r.do(op) })
		r.trim()
	}
}

func (r *diffRun) do(op diffOp) {
	switch op.name {
	case "query", "queryRow", "exec", "prepare":
		r.doQuery(op)
	case "begin", "conn", "ping":
		r.doPool(op)
	case "stmtQuery", "stmtRow", "stmtExec", "stmtClose", "txStmt":
		r.doStmt(op)
	case "commit", "rollback", "cancel":
		r.doTx(op)
	case "raw", "connClose":
		r.doConn(op)
	case "next", "scan", "nextSet", "types", "rowsErr", "rowsClose", "rowScan", "all":
		r.doRows(op)
	default:
		r.doSettings(op)
	}
}

// instead opens what an operation finds nothing of.
func (r *diffRun) instead(op diffOp, name string) {
	op.name, op.faults = name, nil
	r.do(op)
}

// pick chooses a handle, or none.
func (op diffOp) pick(from []*diffHandle) *diffHandle {
	if len(from) == 0 {
		return nil
	}
	return from[int(op.on)%len(from)]
}

// diffQuerier is what a DB, a Tx and a Conn have in common.
type diffQuerier interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}

// target chooses what a query is made on; the handle is nil for the DB.
func (r *diffRun) target(op diffOp) (diffQuerier, *diffHandle, string) {
	from := append([]*diffHandle{nil, nil}, r.ofKind("tx", "conn")...)
	switch h := op.pick(from); {
	case h == nil:
		return r.db, nil, "db"
	case h.kind == "tx":
		return h.tx, h, h.name
	default:
		return h.conn, h, h.name
	}
}

// queryOf makes the text of a query, most times with as many placeholders as
// there are arguments.
func (op diffOp) queryOf() (string, []any) {
	args := diffArgs[int(op.args)%len(diffArgs)]
	n := len(args)
	if op.query >= 240 {
		n++
	}
	return diffQueries[int(op.query)%len(diffQueries)] + strings.Repeat(" ?", n), args
}

func (r *diffRun) doQuery(op diffOp) {
	q, on, name := r.target(op)
	query, args := op.queryOf()
	c := r.context(op.ctx, on)
	r.title("%s.%s %q #%d %s", name, op.name, query, int(op.args)%len(diffArgs), c.name)
	if on == nil || on.kind == "conn" || op.name != "exec" && op.name != "prepare" {
		r.clear(on)
	}
	// A query that panics keeps the locks of a Tx or Conn for ever.
	r.arm(op, on == nil || op.name == "exec" || op.name == "prepare")
	switch op.name {
	case "query":
		rows, err := q.QueryContext(c.Context, query, args...)
		r.opened(&diffHandle{kind: "rows", on: on, rows: rows, columns: diffColumnsOf(query)}, err)
	case "queryRow":
		row := q.QueryRowContext(c.Context, query, args...)
		r.opened(&diffHandle{kind: "row", on: on, row: row, columns: diffColumnsOf(query)}, row.Err())
	case "exec":
		r.result(q.ExecContext(c.Context, query, args...))
	case "prepare":
		stmt, err := q.PrepareContext(c.Context, query)
		r.opened(&diffHandle{kind: "stmt", on: on, stmt: stmt, columns: diffColumnsOf(query)}, err)
	}
}

// opened keeps a handle if there is one.
func (r *diffRun) opened(h *diffHandle, err error) {
	r.logError(err)
	if err == nil {
		r.op.opened = h
	}
}

func (r *diffRun) result(result sql.Result, err error) {
	r.logError(err)
	if err != nil {
		return
	}
	id, err := result.LastInsertId()
	r.log("last insert id %d, %s", id, diffError(err))
	n, err := result.RowsAffected()
	r.log("rows affected %d, %s", n, diffError(err))
}

// doPool does what a DB and a Conn can.
func (r *diffRun) doPool(op diffOp) {
	var on *diffHandle
	if op.name != "conn" {
		on = op.pick(append([]*diffHandle{nil}, r.ofKind("conn")...))
	}
	c := r.context(op.ctx, on)
	r.clear(on)
	r.title("on %v %s", on, c.name)
	r.arm(op, on == nil)
	switch op.name {
	case "ping":
		if on == nil {
			r.logError(r.db.PingContext(c.Context))
		} else {
			r.logError(on.conn.PingContext(c.Context))
		}
	case "conn":
		conn, err := r.db.Conn(c.Context)
		r.opened(&diffHandle{kind: "conn", conn: conn}, err)
	case "begin":
		begin := r.db.BeginTx
		if on != nil {
			begin = on.conn.BeginTx
		}
		opts := diffTxOptions[int(op.extra)%len(diffTxOptions)]
		r.title("%+v", opts)
		tx, err := begin(c.Context, opts)
		r.opened(&diffHandle{kind: "tx", on: on, tx: tx}, err)
	}
}

var diffTxOptions = []*sql.TxOptions{
	nil, nil, {}, {Isolation: sql.LevelSerializable}, {ReadOnly: true}, {Isolation: sql.LevelReadCommitted, ReadOnly: true}, nil,
}

func (h *diffHandle) String() string {
	if h == nil {
		return "db"
	}
	return h.name
}

// doSettings does what concerns the pool as a whole.
func (r *diffRun) doSettings(op diffOp) {
	n := int(op.extra)
	r.arm(op, false)
	switch op.name {
	case "setOpen":
		r.title("%d", n%4)
		r.db.SetMaxOpenConns(n % 4)
	case "setIdle":
		r.title("%d", n%4-1)
		r.db.SetMaxIdleConns(n%4 - 1)
	case "setLifetime":
		d := time.Duration(n%3) * 3 * time.Second
		r.title("%v", d)
		r.db.SetConnMaxLifetime(d)
	case "setIdleTime":
		d := time.Duration(n%3) * 2 * time.Second
		r.title("%v", d)
		r.db.SetConnMaxIdleTime(d)
	case "sleep":
		d := time.Duration(n) * 20 * time.Millisecond
		r.title("%v", d)
		r.op.sleep = d
	case "observe":
		r.observe()
	case "dbClose":
		r.logError(r.db.Close())
	}
}
