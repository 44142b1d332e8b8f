package fakedriver

// These take one method each from a connection that has all; see connVariants.
type (
	noPinger                struct{}
	noConnPrepareContext    struct{}
	noConnBeginTx           struct{}
	noExecerContext         struct{}
	noExecer                struct{}
	noQueryerContext        struct{}
	noQueryer               struct{}
	noConnNamedValueChecker struct{}
	noSessionResetter       struct{}
	noValidator             struct{}
)

func (noPinger) Ping()                           {}
func (noConnPrepareContext) PrepareContext()     {}
func (noConnBeginTx) BeginTx()                   {}
func (noExecerContext) ExecContext()             {}
func (noExecer) Exec()                           {}
func (noQueryerContext) QueryContext()           {}
func (noQueryer) Query()                         {}
func (noConnNamedValueChecker) CheckNamedValue() {}
func (noSessionResetter) ResetSession()          {}
func (noValidator) IsValid()                     {}
