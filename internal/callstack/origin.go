package callstack

import "strings"

// Method is the database/sql method through which the application came.
type Method uint8

// The methods; the …Context variants count as the same.
const (
	MethodUnknown  Method = iota
	MethodQuery           // Query of a DB, Conn, Tx or Stmt
	MethodQueryRow        // QueryRow of a DB, Conn, Tx or Stmt
	MethodExec            // Exec of a DB, Conn, Tx or Stmt
	MethodPrepare         // Prepare of a DB, Conn or Tx
	MethodRebind          // (*Tx).Stmt: an existing statement, prepared again
	MethodBegin           // Begin of a DB or Conn
	MethodConn            // (*DB).Conn
	MethodPing            // Ping of a DB or Conn
	MethodOpener          // the pool's own goroutine, no application frames
)

// Origin says how the application came into database/sql.
type Origin struct {
	Method Method
	// Transient is set for calls that acquire a connection for themselves
	// alone: what the driver sees until the connection is released belongs
	// to the one call.
	Transient bool
	// Stmt is set for calls on a prepared statement.
	Stmt bool
	// Conn is set for calls that get a Conn or are made on one: the
	// application holds the connection.
	Conn bool
	// Wrapped is set if functions of another package, a wrapper's, were called
	// between database/sql and this module.
	Wrapped bool
}

// OpensStmt reports whether a statement that is prepared is one of the
// application's, and not one that database/sql runs a single query on.
func (o Origin) OpensStmt() bool {
	return o.Method == MethodPrepare || o.Method == MethodRebind || o.Stmt
}

const sqlPackage = "database/sql"

// originOf reads the public method off the outermost of the innermost run of
// database/sql frames. Frames below them belong to wrapping drivers.
func originOf(frames []Frame) Origin {
	var last string
	for _, f := range frames {
		if f.Package() == sqlPackage {
			last = f.Function
		} else if last != "" {
			break
		}
	}
	o := parseOrigin(strings.TrimPrefix(last, sqlPackage+"."))
	o.Wrapped = last != "" && frames[0].Package() != sqlPackage
	return o
}

// parseOrigin reads a function of database/sql, e.g. "(*DB).QueryContext".
func parseOrigin(function string) Origin {
	receiver, method, ok := strings.Cut(strings.TrimPrefix(function, "(*"), ").")
	if !ok {
		return Origin{}
	}
	o := Origin{
		Transient: receiver == "DB" || receiver == "Stmt",
		Stmt:      receiver == "Stmt",
		Conn:      receiver == "Conn",
	}
	switch strings.TrimSuffix(method, "Context") {
	case "Query":
		o.Method = MethodQuery
	case "QueryRow":
		o.Method = MethodQueryRow
	case "Exec":
		o.Method = MethodExec
	case "Prepare":
		o.Method = MethodPrepare
	case "Stmt":
		o.Method = MethodRebind
	case "Ping":
		o.Method = MethodPing
	case "Conn":
		o.Method, o.Transient, o.Conn = MethodConn, false, true
	case "Begin", "BeginTx":
		o.Method, o.Transient = MethodBegin, false
	case "connectionOpener", "openNewConnection":
		o.Method, o.Transient = MethodOpener, false
	}
	return o
}
