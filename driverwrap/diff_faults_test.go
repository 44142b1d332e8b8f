package driverwrap_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
)

// diffFault is what the driver does otherwise than usual.
type diffFault struct {
	at          string
	skip, times int // calls that it lets pass, calls that it affects
	kind        string
	answer      fakedriver.Answer
}

// Where the driver can fail: the kind of object, if it matters, and the
// method. A method stands for the modern and the legacy form of it.
var (
	diffAtAcquire = []string{"Connect", "conn.ResetSession", "conn.IsValid"}
	diffAtBind    = []string{"conn.CheckNamedValue", "stmt.CheckNamedValue", "stmt.ConvertValue", "stmt.NumInput", "conn.Prepare", "conn.Prepare", "stmt.Close"}
	diffAtQuery   = slices.Concat([]string{"conn.Query", "conn.Query", "stmt.Query", "stmt.Query"}, diffAtAcquire, diffAtBind)
	diffAtExec    = slices.Concat([]string{"conn.Exec", "conn.Exec", "stmt.Exec", "stmt.Exec", "result.LastInsertId", "result.RowsAffected"}, diffAtAcquire, diffAtBind)
	diffAtPrepare = slices.Concat([]string{"conn.Prepare", "conn.Prepare"}, diffAtAcquire)
	diffAtRelease = []string{"rows.Close", "stmt.Close", "conn.IsValid", "conn.Close"}
)

// diffFaultPoints says where the driver can fail during an operation.
var diffFaultPoints = map[string][]string{
	"query":     diffAtQuery,
	"queryRow":  diffAtQuery,
	"exec":      diffAtExec,
	"prepare":   diffAtPrepare,
	"begin":     slices.Concat([]string{"conn.Begin", "conn.Begin", "Rollback"}, diffAtAcquire),
	"conn":      diffAtAcquire,
	"ping":      slices.Concat([]string{"conn.Ping", "conn.Ping"}, diffAtAcquire),
	"stmtQuery": diffAtQuery,
	"stmtRow":   diffAtQuery,
	"stmtExec":  diffAtExec,
	"stmtClose": {"stmt.Close"},
	"txStmt":    diffAtPrepare,
	"commit":    slices.Concat([]string{"Commit", "Commit"}, diffAtRelease),
	"rollback":  slices.Concat([]string{"Rollback", "Rollback"}, diffAtRelease),
	"cancel":    slices.Concat([]string{"Rollback", "Rollback"}, diffAtRelease),
	"connClose": {"conn.IsValid", "conn.Close"},
	"next":      {"rows.Next", "rows.Next", "rows.HasNextResultSet", "rows.Columns", "rows.Close", "conn.IsValid"},
	"nextSet":   {"rows.NextResultSet", "rows.NextResultSet", "rows.Close", "conn.IsValid"},
	"scan":      {"rows.ScanColumn"},
	"rowScan":   {"rows.Next", "rows.ScanColumn", "rows.Close", "rows.Columns"},
	"rowsClose": diffAtRelease,
	"types":     {"rows.Columns", "rows.ColumnTypeScanType", "rows.ColumnTypeLength"},
	"dbClose":   {"conn.Close", "connector.Close"},
	"setIdle":   {"conn.Close", "stmt.Close"},
	"sleep":     slices.Concat([]string{"Rollback"}, diffAtRelease),
}

// diffForms are the forms of a method.
var diffForms = map[string][]string{
	"Connect": {"Connect", "Open"},
	"Prepare": {"Prepare", "PrepareContext"},
	"Begin":   {"Begin", "BeginTx"},
	"Exec":    {"Exec", "ExecContext"},
	"Query":   {"Query", "QueryContext"},
	"Next":    {"Next", "NextRow"},
}

// diffFaultOf decodes a fault; in more than a third of cases there is none.
func diffFaultOf(points []string, b []byte) (f diffFault, ok bool) {
	i := int(b[0])
	if i < 96 || len(points) == 0 {
		return f, false
	}
	f = diffFault{at: points[i%len(points)], skip: int(b[2]) & 1, times: 1 + int(b[2])>>1&3}
	f.kind, f.answer = diffAnswerOf(f.at, b[1])
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

// diffAnswerOf chooses what happens at a point.
func diffAnswerOf(at string, b byte) (kind string, a fakedriver.Answer) {
	switch at {
	case "conn.IsValid":
		return "false", fakedriver.Answer{Value: false}
	case "rows.HasNextResultSet":
		return strconv.FormatBool(b&1 != 0), fakedriver.Answer{Value: b&1 != 0}
	case "stmt.NumInput":
		n := int(b)%4 - 1
		return strconv.Itoa(n), fakedriver.Answer{Value: n}
	}
	const bad = 3 // times more likely
	i := int(b) % (bad + len(diffErrors) + len(diffBehaviours))
	if i >= bad+len(diffErrors) {
		return diffBehaviours[i-bad-len(diffErrors)], fakedriver.Answer{}
	}
	err := diffErrors[max(0, i-bad)] // the first is ErrBadConn
	return err.Error(), fakedriver.Answer{Err: err}
}

// allowed reports whether database/sql gets over a fault, and does so in the
// same way each time. A panic where it calls the driver on a goroutine of its
// own ends the process, and elsewhere it can leave a lock behind; whether it
// does so in the present operation, the caller must know. And a wait must be
// one that an end of the context ends.
func (r *diffRun) allowed(f diffFault, panics bool) bool {
	c := r.op.ctx
	switch f.kind {
	case faultNil:
		return strings.HasSuffix(f.at, ".Exec")
	case faultPanic, faultPanicError, faultGoexit:
		switch f.at {
		case "Connect", "Rollback", "conn.Close", "rows.Close", "stmt.Close", "connector.Close", "rows.ScanColumn":
			return false
		}
		return panics
	case faultCancel, faultCancelFail:
		return c != nil && c.fresh && c.cancel != nil && !r.op.steady
	case faultBlock:
		switch f.at {
		case "Connect":
			// The pool's own goroutine would wait until the DB is closed.
			return c != nil && r.db.Stats().MaxOpenConnections == 0
		case "conn.ResetSession", "conn.Ping", "conn.Prepare", "conn.Begin", "conn.Exec", "conn.Query", "stmt.Exec", "stmt.Query",
			"rows.Next", "rows.NextResultSet":
			return c != nil
		}
		return false
	}
	return true
}

// arm scripts the faults of an operation whose calls are made with the step's
// context.
func (r *diffRun) arm(op diffOp, panics bool) {
	var rules []fakedriver.Rule
	for _, f := range op.faults {
		if !r.allowed(f, panics) {
			f.kind, f.answer.Err = "driver error 2", diffErrors[6]
		}
		switch a := &f.answer; f.kind {
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
			a.Do = r.op.ctx.cancel
		case faultCancelFail:
			a.Do, a.Err = r.op.ctx.cancel, diffErrors[6]
		}
		r.log("fault at %s: skip %d, then %d × %s", f.at, f.skip, f.times, f.kind)
		rules = append(rules, f.rules()...)
	}
	r.fake.Script(rules...)
}

func (f diffFault) rules() (rules []fakedriver.Rule) {
	on, method, ok := strings.Cut(f.at, ".")
	if !ok {
		on, method = "", f.at
	}
	forms := diffForms[method]
	if forms == nil {
		forms = []string{method}
	}
	for _, form := range forms {
		rules = append(rules, fakedriver.Rule{On: on, Method: form, Skip: f.skip, Times: f.times, Answer: f.answer})
	}
	return rules
}
