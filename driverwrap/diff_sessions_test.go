package driverwrap_test

import (
	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
)

// doStmt uses a prepared statement.
func (r *diffRun) doStmt(op diffOp) {
	h := op.pick(r.ofKind("stmt"))
	if h == nil {
		r.instead(op, "prepare")
		return
	}
	if op.name == "txStmt" {
		r.doTxStmt(op, h)
		return
	}
	session := h.session()
	_, args := op.queryOf()
	c := r.context(op.ctx, session)
	r.title("%s #%d %s", h.name, int(op.args)%len(diffArgs), c.name)
	if session != nil && (session.kind == "conn" || op.name != "stmtExec") {
		r.clear(session)
	}
	r.arm(op, session == nil && op.name != "stmtClose")
	switch op.name {
	case "stmtQuery":
		rows, err := h.stmt.QueryContext(c.Context, args...)
		r.opened(&diffHandle{kind: "rows", on: h, rows: rows, columns: h.columns}, err)
	case "stmtRow":
		row := h.stmt.QueryRowContext(c.Context, args...)
		r.opened(&diffHandle{kind: "row", on: h, row: row, columns: h.columns}, row.Err())
	case "stmtExec":
		r.result(h.stmt.ExecContext(c.Context, args...))
	case "stmtClose":
		r.log("%s", r.finish(h))
	}
}

// doTxStmt takes a statement into a transaction.
func (r *diffRun) doTxStmt(op diffOp, h *diffHandle) {
	tx := op.pick(r.ofKind("tx"))
	if tx == nil {
		r.instead(op, "begin")
		return
	}
	c := r.context(op.ctx, tx)
	r.title("%s.Stmt(%s) %s", tx.name, h.name, c.name)
	r.arm(op, false)
	stmt := tx.tx.StmtContext(c.Context, h.stmt)
	r.opened(&diffHandle{kind: "stmt", on: tx, stmt: stmt, columns: h.columns}, nil)
}

// doTx ends a transaction, or the context of anything.
func (r *diffRun) doTx(op diffOp) {
	if op.name == "cancel" {
		r.doCancel(op)
		return
	}
	h := op.pick(r.ofKind("tx"))
	if h == nil {
		r.instead(op, "begin")
		return
	}
	r.title("%s", h.name)
	// A Conn can't be closed any more if its transaction didn't end.
	r.arm(op, h.on == nil)
	h.over = true
	if op.name == "commit" {
		r.logError(h.tx.Commit())
	} else {
		r.logError(h.tx.Rollback())
	}
}

func (r *diffRun) doCancel(op diffOp) {
	var from []*diffHandle
	for _, h := range r.ofKind("rows", "row", "tx") {
		if h.ctx.cancel != nil {
			from = append(from, h)
		}
	}
	h := op.pick(from)
	if h == nil {
		op.ctx = ctxCancel
		r.instead(op, "begin")
		return
	}
	r.title("%s of %s", h.ctx.name, h.name)
	r.arm(op, false)
	h.ctx.cancel()
}

// doConn uses a Conn as only it can be used.
func (r *diffRun) doConn(op diffOp) {
	h := op.pick(r.ofKind("conn"))
	if h == nil {
		r.instead(op, "conn")
		return
	}
	r.title("%s", h.name)
	r.clear(h)
	r.arm(op, false)
	if op.name == "connClose" {
		r.log("%s", r.finish(h))
		return
	}
	kind, answer := diffAnswerOf("", op.extra)
	r.title("%s", kind)
	r.logError(h.conn.Raw(func(driverConn any) error {
		r.log("raw connection is %s", fakeName(r.unwrap(driverConn)))
		if kind == faultPanic {
			panic("application panic")
		}
		return answer.Err
	}))
}

// fakeName returns the name of one of the fake's own connections.
func fakeName(v any) string {
	if c, ok := v.(interface{ Name() string }); ok {
		return c.Name()
	}
	return fakedriver.Format(v)
}
