package record

// Op is a call into the driver.
type Op uint8

// The calls, by the name a report gives them.
const (
	OpNone Op = iota
	OpReset
	OpPing
	OpQuery
	OpExec
	OpPrepare
	OpBegin
	OpNext
	OpCommit
	OpRollback
	OpClose
	OpRaw
)

var opNames = [...]string{"", "reset", "ping", "query", "exec", "prepare", "begin", "next", "commit", "rollback", "close", "raw"}

// String returns the call's name; "" for OpNone.
func (o Op) String() string { return opNames[o] }
