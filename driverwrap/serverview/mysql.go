package serverview

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// mysqlDialect is what tells the servers of the MySQL family from each other.
type mysqlDialect struct {
	micros    string // how long a session has been in its state, in µs
	lockWaits string // thread ids: who waits, for whom
	lockGrant string // what reading that takes besides PROCESS
}

const (
	mysqlIdentity = "SELECT CONNECTION_ID(), CONCAT(@@hostname, ':', @@port)"

	innodbLockWaits = `SELECT r.trx_mysql_thread_id, b.trx_mysql_thread_id FROM information_schema.INNODB_LOCK_WAITS w
JOIN information_schema.INNODB_TRX r ON r.trx_id = w.requesting_trx_id
JOIN information_schema.INNODB_TRX b ON b.trx_id = w.blocking_trx_id`
	// The transactions, not the threads: the thread of a lock that another
	// session made explicit is that other one.
	dataLockWaits = `SELECT r.trx_mysql_thread_id, b.trx_mysql_thread_id FROM performance_schema.data_lock_waits w
JOIN information_schema.INNODB_TRX r ON r.trx_id = w.REQUESTING_ENGINE_TRANSACTION_ID
JOIN information_schema.INNODB_TRX b ON b.trx_id = w.BLOCKING_ENGINE_TRANSACTION_ID`

	grantProcess           = "GRANT PROCESS ON *.* TO %s"
	grantPerformanceSchema = "GRANT SELECT ON performance_schema.* TO %s"
)

var (
	mariaDBFlavor = mysqlFamily("MariaDB", mysqlDialect{micros: "CAST(TIME_MS * 1000 AS SIGNED)", lockWaits: innodbLockWaits})
	mySQL57Flavor = mysqlFamily("MySQL", mysqlDialect{micros: "TIME * 1000000", lockWaits: innodbLockWaits})
	mySQLFlavor   = mysqlFamily("MySQL", mysqlDialect{micros: "TIME * 1000000", lockWaits: dataLockWaits, lockGrant: grantPerformanceSchema})
)

func mysqlFamily(kind string, d mysqlDialect) *flavor {
	return &flavor{kind: kind, identity: mysqlIdentity, look: d.look, kill: "KILL %d"}
}

func (d mysqlDialect) look(ctx context.Context, l *look) error {
	// Times of transactions are the system's, those of NOW the session's.
	if _, err := l.q.ExecContext(ctx, "SET time_zone = 'SYSTEM'"); err != nil {
		return fmt.Errorf("set the time zone: %w", err)
	}
	var name string
	var seconds int64
	if err := l.q.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Uptime'").Scan(&name, &seconds); err != nil {
		return fmt.Errorf("ask for the uptime: %w", err)
	}
	l.uptime = time.Duration(seconds+1) * time.Second
	if err := d.processes(ctx, l); err != nil {
		return fmt.Errorf("read information_schema.PROCESSLIST: %w", err)
	}
	if err := transactions(ctx, l); err != nil {
		l.partial = true
		return l.lacking(ctx, "transactions, the rows they lock, whom they block, and the sessions of other accounts", err, grantProcess)
	}
	if l.has(func(s *mysqlSession) bool { return s.lockWait }) {
		// Reading this isn't free for a busy server: only if there is a wait.
		err := l.each(ctx, d.lockWaits, func(scan func(...any) error) error {
			var waiter, by uint64
			err := scan(&waiter, &by)
			l.wait(waiter, Block{By: by, Lock: "row"})
			return err
		})
		if err != nil {
			if err := l.lacking(ctx, "who holds the row locks that others wait for", err, d.lockGrant); err != nil {
				return err
			}
		}
	}
	return metadataLocks(ctx, l)
}

// mysqlSession is what is known of a session besides.
type mysqlSession struct {
	lockWait, metadataWait bool
}

func (l *look) has(what func(*mysqlSession) bool) bool {
	for _, s := range l.mysql {
		if what(s) {
			return true
		}
	}
	return false
}

// mysqlOf is valid for sessions that the server showed.
func (l *look) mysqlOf(id uint64) *mysqlSession {
	if l.mysql == nil {
		l.mysql = make(map[uint64]*mysqlSession)
	}
	s := l.mysql[id]
	if s == nil {
		s = new(mysqlSession)
		l.mysql[id] = s
	}
	return s
}

func (d mysqlDialect) processes(ctx context.Context, l *look) error {
	query := "SELECT ID, USER, HOST, DB, COMMAND, STATE, " + d.micros + ", INFO FROM information_schema.PROCESSLIST"
	return l.each(ctx, query, func(scan func(...any) error) error {
		var s Session
		var command string
		var database, state, info sql.NullString
		var micros sql.NullInt64
		if err := scan(&s.ID, &s.User, &s.Client, &database, &command, &state, &micros, &info); err != nil {
			return err
		}
		s.Database, s.InState = database.String, time.Duration(max(0, micros.Int64))*time.Microsecond
		s.State, s.Detail = StateActive, state.String
		if s.Detail == "" {
			s.Detail = command
		}
		if command == "Sleep" {
			s.State, s.Detail = StateIdle, ""
		}
		if strings.HasPrefix(state.String, "Waiting for ") && strings.HasSuffix(state.String, " lock") {
			s.State = StateWaiting
			l.mysqlOf(s.ID).metadataWait = strings.HasSuffix(state.String, "metadata lock")
		}
		s.Query = l.text(info.String)
		s.Kill = l.kill(s.ID)
		l.sessions[s.ID] = &s
		return nil
	})
}

func transactions(ctx context.Context, l *look) error {
	return l.each(ctx, `SELECT trx_mysql_thread_id, trx_state, TIMESTAMPDIFF(MICROSECOND, trx_started, NOW(6)),
trx_rows_locked, trx_rows_modified FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id <> 0`, func(scan func(...any) error) error {
		var id, locked, modified uint64
		var state string
		var micros sql.NullInt64
		if err := scan(&id, &state, &micros, &locked, &modified); err != nil {
			return err
		}
		s := l.sessions[id]
		if s == nil { // it began meanwhile
			return nil
		}
		s.Tx, s.TxAge = true, time.Duration(max(0, micros.Int64))*time.Microsecond
		s.RowsLocked, s.RowsModified = locked, modified
		switch {
		case state == "LOCK WAIT":
			s.State, s.Detail = StateWaiting, "row lock"
			l.mysqlOf(id).lockWait = true
		case s.State == StateIdle:
			s.State = StateIdleTx
		}
		return nil
	})
}

// lacking notes what could not be seen. An error is returned if that is not for
// a missing privilege.
func (l *look) lacking(ctx context.Context, what string, err error, grant string) error {
	if ctx.Err() != nil {
		return err
	}
	if !denied(err) || grant == "" {
		l.notice(what+": "+err.Error(), "")
		return nil
	}
	account := "the application's account"
	var current string
	if l.q.QueryRowContext(ctx, "SELECT CURRENT_USER()").Scan(&current) == nil {
		at := strings.LastIndexByte(current, '@')
		if at >= 0 {
			account = quote(current[:at]) + "@" + quote(current[at+1:])
		}
	}
	l.notice(what, fmt.Sprintf(grant, account))
	return nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// denied tells a missing privilege, errors 1142 and 1227, by its text, which is
// the same in all drivers.
func denied(err error) bool { return strings.Contains(strings.ToLower(err.Error()), "denied") }
