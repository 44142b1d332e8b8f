package driverwrap_test

import "strings"

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

// diffOps are the operations of a program, the more likely ones repeatedly.
// One that has no handle to work on opens one instead.
var diffOps = strings.Fields(`
	query query query queryRow exec exec prepare prepare begin begin begin conn ping
	stmtQuery stmtQuery stmtRow stmtExec stmtExec stmtClose txStmt
	commit rollback cancel cancel cancel raw connClose
	next next next scan scan scan nextSet nextSet types rowsErr rowsClose rowScan all
	setOpen setIdle setLifetime setIdleTime sleep observe
`)

func diffOpName(b byte) string {
	if b == 255 {
		return "dbClose" // else no program gets far
	}
	return diffOps[int(b)%len(diffOps)]
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
