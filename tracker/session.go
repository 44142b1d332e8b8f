package tracker

import (
	"fmt"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/session"
	"github.com/dbleaks-go/dbleaks/internal/words"
)

// SessionChecks are what a connection is not to go back to the pool with: the
// next one who gets it, whoever that is, would find himself in the midst of
// somebody else's transaction, or wait for a lock that nobody knows of. Such a
// connection is a finding of [KindSession], at the line of the statement that
// began what no statement ended. Its state is overdue, never leaked, once the
// connection lay in the pool for a second (in a pool of one connection: for the
// threshold of a transaction), or another goroutine got it; assertions and the
// exit report don't wait.
//
// It is a matter of the SQL text. MySQL's, MariaDB's, PostgreSQL's and SQLite's
// is understood; what can't be read for certain is taken to end everything.
// Where the driver keeps the server's word on whether a transaction is open,
// that counts: the drivers of go-sql-driver/mysql, jackc/pgx, lib/pq and
// mattn/go-sqlite3 do. A context that is [LongLived] keeps a statement from
// being reported.
type SessionChecks uint8

// The checks.
const (
	// SessionTransactions: BEGIN, START TRANSACTION, XA START and SET
	// autocommit=0, each without its end.
	SessionTransactions SessionChecks = 1 << iota
	// SessionLocks: LOCK TABLES (MySQL), FLUSH TABLES … WITH READ LOCK,
	// pg_advisory_lock.
	SessionLocks
	// SessionTryLocks: GET_LOCK (MySQL), pg_try_advisory_lock. Only their result
	// says whether there is a lock, and nobody looks at it: a lock that was not
	// got is reported too.
	SessionTryLocks
	// SessionSettings: SET, SET ROLE, USE. Settings that every connection is
	// given on purpose are reported too.
	SessionSettings
	// SessionListen: LISTEN (PostgreSQL).
	SessionListen

	allSessionChecks = 1<<iota - 1
)

// DefaultSessionChecks are the certain ones.
const DefaultSessionChecks = SessionTransactions | SessionLocks

// WithSessionChecks sets what connections are checked for that go back to their
// pool. The default is [DefaultSessionChecks]; 0 turns all checks off. At run
// time, it concerns what statements begin from now on, and what isn't checked
// any more is forgotten.
func WithSessionChecks(checks SessionChecks) Option {
	return func(c *config) error {
		if checks&^allSessionChecks != 0 {
			return fmt.Errorf("tracker: WithSessionChecks(%#x): %#x is none of the checks", uint8(checks), uint8(checks&^allSessionChecks))
		}
		c.sessions = checks
		return nil
	}
}

// aspects are the checks as the record has them.
func (s SessionChecks) aspects() (all session.Aspect) {
	for check, what := range map[SessionChecks]session.Aspect{
		SessionTransactions: session.Tx | session.Autocommit,
		SessionLocks:        session.Tables | session.Lock,
		SessionTryLocks:     session.TryLock,
		SessionSettings:     session.Setting,
		SessionListen:       session.Listen,
	} {
		if s&check != 0 {
			all |= what
		}
	}
	return all
}

// leftWith says what a connection went back to the pool with.
var leftWith = map[session.Aspect]string{
	session.Tx:         "inside the transaction that this statement began",
	session.Autocommit: "with autocommit off: what runs on it next isn't committed",
	session.Tables:     "with the tables locked that this statement locked",
	session.Lock:       "with the lock that this statement took",
	session.TryLock:    "with the lock that this statement took, if it got it",
	session.Setting:    "with the setting changed that this statement changed",
	session.Listen:     "listening, as this statement asked",
}

func sessionReason(v *record.View) string {
	s := v.Session
	reason := "the connection went back to the pool " + leftWith[s.What]
	if s.Returns > 1 {
		reason += fmt.Sprintf(", %d times", s.Returns)
	}
	switch {
	case s.Taken && !s.InPool:
		return reason + "; another goroutine has it now"
	case s.Taken:
		return reason + "; another goroutine has used it since"
	case s.InPool:
		return reason + "; it has been there for " + words.Duration(s.For)
	}
	return reason
}

func sessionAdvice(v *record.View, site Frame) string {
	switch v.Session.What {
	case session.Tx:
		return fmt.Sprintf("use BeginTx in place of line %d: a Tx keeps its connection until Commit or Rollback", site.Line)
	case session.Autocommit:
		return fmt.Sprintf("use BeginTx in place of line %d, or turn autocommit on again before the Conn is closed", site.Line)
	case session.Setting:
		return fmt.Sprintf("set what line %d sets for all connections, in the data source, or on a Conn (db.Conn), and back before its Close", site.Line)
	case session.Listen:
		return fmt.Sprintf("listen on a Conn (db.Conn) that is kept for as long as line %d is to hear something", site.Line)
	}
	return fmt.Sprintf("take the lock of line %d on a Conn (db.Conn), and release it on the same one before its Close", site.Line)
}
