package driverwrap_test

import (
	"errors"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
)

// diffProgram is a program of database/sql calls, as bytes: diffOpSize for
// each call. Any bytes are a program.
type diffProgram []byte

const (
	diffOpSize = 12
	maxDiffOps = 64
)

// diffOp is one call.
type diffOp struct {
	name   string
	on     byte // which of the handles
	ctx    byte
	query  byte
	args   byte
	extra  byte
	faults []diffFault
}

// diffFault is what the driver does otherwise than usual.
type diffFault struct {
	method      string
	skip, times int
	kind        string
	answer      fakedriver.Answer
}

func (p diffProgram) ops() (ops []diffOp) {
	for len(p) >= diffOpSize && len(ops) < maxDiffOps {
		b := p[:diffOpSize]
		p = p[diffOpSize:]
		op := diffOp{name: diffOpName(b[0]), on: b[1], ctx: b[2], query: b[3], args: b[4], extra: b[5]}
		for _, f := range [][]byte{b[6:9], b[9:12]} {
			if fault, ok := diffFaultOf(diffFaultPoints[op.name], f); ok {
				op.faults = append(op.faults, fault)
			}
		}
		ops = append(ops, op)
	}
	return ops
}

// Where the driver can fail, by object and method. A star stands for both the
// modern and the legacy method.
var (
	diffAcquire  = []string{"connector.Connect", "conn.ResetSession", "conn.IsValid"}
	diffBind     = []string{"conn.CheckNamedValue", "stmt.CheckNamedValue", "stmt.ConvertValue", "stmt.NumInput", "conn.Prepare*", "conn.Prepare*", "stmt.Close"}
	diffQueryAt  = append(append([]string{"conn.Query*", "conn.Query*", "stmt.Query*", "stmt.Query*"}, diffAcquire...), diffBind...)
	diffExecAt   = append(append([]string{"conn.Exec*", "conn.Exec*", "stmt.Exec*", "stmt.Exec*", "result.LastInsertId", "result.RowsAffected"}, diffAcquire...), diffBind...)
	diffPrepare  = append([]string{"conn.Prepare*", "conn.Prepare*"}, diffAcquire...)
	diffNextAt   = []string{"rows.Next", "rows.Next", "rows.NextRow", "rows.NextRow", "rows.HasNextResultSet", "rows.Columns", "rows.Close", "conn.IsValid"}
	diffReleases = []string{"rows.Close", "stmt.Close", "conn.IsValid", "conn.Close"}
)

// diffFaultPoints says where the driver can fail during an operation.
var diffFaultPoints = map[string][]string{
	"query":     diffQueryAt,
	"queryRow":  diffQueryAt,
	"exec":      diffExecAt,
	"prepare":   diffPrepare,
	"begin":     append([]string{"conn.Begin*", "conn.Begin*", "tx.Rollback"}, diffAcquire...),
	"conn":      diffAcquire,
	"ping":      append([]string{"conn.Ping", "conn.Ping"}, diffAcquire...),
	"stmtQuery": diffQueryAt,
	"stmtRow":   diffQueryAt,
	"stmtExec":  diffExecAt,
	"stmtClose": {"stmt.Close"},
	"txStmt":    diffPrepare,
	"commit":    {"tx.Commit", "tx.Commit", "rows.Close", "stmt.Close", "conn.IsValid"},
	"rollback":  {"tx.Rollback", "tx.Rollback", "rows.Close", "stmt.Close", "conn.IsValid"},
	"cancel":    append([]string{"tx.Rollback", "tx.Rollback", "conn.Rollback"}, diffReleases...),
	"connClose": {"conn.IsValid", "conn.Close"},
	"next":      diffNextAt,
	"nextSet":   {"rows.NextResultSet", "rows.NextResultSet", "rows.Close", "conn.IsValid"},
	"scan":      {"rows.ScanColumn"},
	"rowScan":   {"rows.Next", "rows.NextRow", "rows.ScanColumn", "rows.Close", "rows.Columns"},
	"rowsClose": diffReleases,
	"types":     {"rows.Columns", "rows.ColumnTypeScanType", "rows.ColumnTypeLength"},
	"dbClose":   {"conn.Close", "connector.Close"},
	"setIdle":   {"conn.Close", "stmt.Close"},
	"sleep":     {"conn.Close", "stmt.Close", "tx.Rollback", "rows.Close", "conn.IsValid"},
}

// diffFaultOf decodes a fault; more than half of the time there is none.
func diffFaultOf(points []string, b []byte) (f diffFault, ok bool) {
	i := int(b[0])
	if i < 96 || len(points) == 0 {
		return f, false
	}
	f = diffFault{method: points[i%len(points)], skip: int(b[2]) & 1, times: 1 + int(b[2])>>1&3}
	f.kind, f.answer = diffAnswerOf(f.method, b[1])
	return f, true
}

// What a driver can do but give an error.
const (
	faultPanic      = "panic"
	faultPanicError = "panic with an error"
	faultGoexit     = "goexit"
	faultBlock      = "block"
	faultCancel     = "cancel"
	faultCancelFail = "cancel and fail"
	faultNil        = "nil"
)

var diffBehaviours = []string{faultPanic, faultPanicError, faultGoexit, faultBlock, faultBlock, faultCancel, faultCancel, faultCancelFail, faultNil}

func diffAnswerOf(method string, b byte) (kind string, a fakedriver.Answer) {
	switch method {
	case "conn.IsValid":
		return "false", fakedriver.Answer{Value: false}
	case "rows.HasNextResultSet":
		if b&1 == 0 {
			return "false", fakedriver.Answer{Value: false}
		}
		return "true", fakedriver.Answer{Value: true}
	case "stmt.NumInput":
		n := int(b)%4 - 1
		return string(rune('0' + n)), fakedriver.Answer{Value: n}
	}
	i := int(b) % (len(diffErrors) + 3 + len(diffBehaviours)) // ErrBadConn more often
	switch {
	case i < len(diffErrors):
		return diffErrors[i].Error(), fakedriver.Answer{Err: diffErrors[i]}
	case i < len(diffErrors)+3:
		return diffErrors[0].Error(), fakedriver.Answer{Err: diffErrors[0]}
	}
	return diffBehaviours[i-len(diffErrors)-3], fakedriver.Answer{}
}

// Which methods are called on goroutines of database/sql's own, where a panic
// ends the process, or where one leaves a lock behind that others wait for.
var diffNoPanic = map[string]bool{
	"connector.Connect": true, "conn.IsValid": true, "conn.Close": true, "rows.Close": true, "stmt.Close": true,
	"conn.Rollback": true, "tx.Rollback": true, "rows.ScanColumn": true, "connector.Close": true,
}

// diffBlocks are the methods that can wait for the end of the context and
// then fail.
var diffBlocks = map[string]bool{
	"connector.Connect": true, "conn.ResetSession": true, "conn.Ping": true, "conn.Prepare*": true, "conn.Begin*": true,
	"conn.Exec*": true, "conn.Query*": true, "stmt.Exec*": true, "stmt.Query*": true,
	"rows.Next": true, "rows.NextRow": true, "rows.NextResultSet": true,
}

// allowed reports whether database/sql gets over a fault, and does so the
// same way each time.
func (r *diffRun) allowed(f diffFault, panics bool) bool {
	c := r.op.ctx
	switch f.kind {
	case faultNil:
		return strings.HasSuffix(f.method, ".Exec*")
	case faultPanic, faultPanicError, faultGoexit:
		return panics && !diffNoPanic[f.method]
	case faultCancel, faultCancelFail:
		return c != nil && c.fresh && c.cancel != nil && !r.op.steady
	case faultBlock:
		limited := f.method == "connector.Connect" && r.db.Stats().MaxOpenConnections > 0
		return diffBlocks[f.method] && c != nil && !limited
	}
	return true
}

// arm scripts the faults of an operation whose calls are made with the step's
// context. Panics are let through where database/sql survives them.
func (r *diffRun) arm(op diffOp, panics bool) {
	var rules []fakedriver.Rule
	for _, f := range op.faults {
		kind, a := f.kind, f.answer
		c := r.op.ctx
		if !r.allowed(f, panics) {
			kind, a.Err = "driver error 2", diffErrors[6]
		}
		switch kind {
		case faultNil:
			a.Nil = true
		case faultPanic:
			a.Panic = "driver panic"
		case faultPanicError:
			a.Panic = errors.New("driver panic")
		case faultGoexit:
			a.Goexit = true
		case faultBlock:
			a.Block = true
			r.op.blocks = true
		case faultCancel:
			a.Do = c.cancel
		case faultCancelFail:
			a.Do, a.Err = c.cancel, diffErrors[6]
		}
		r.log("fault %s: skip %d, then %d × %s", f.method, f.skip, f.times, kind)
		on, method, _ := strings.Cut(f.method, ".")
		rule := fakedriver.Rule{On: on, Method: method, Skip: f.skip, Times: f.times, Answer: a}
		if base, both := strings.CutSuffix(method, "*"); both {
			rule.Method = base
			rules = append(rules, rule)
			rule.Method = base + "Context"
			if base == "Begin" {
				rule.Method = base + "Tx"
			}
		}
		rules = append(rules, rule)
	}
	r.fake.Script(rules...)
}
