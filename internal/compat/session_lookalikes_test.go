package compat

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// sessionLookalikes look as if they left their connection dirty and don't, or
// do so on purpose, or can't be known to.
var sessionLookalikes = []lookalike{
	{name: "text transaction on a Conn", run: onConn("BEGIN", "INSERT INTO note VALUES (%d, 'a')", "ROLLBACK")},
	{name: "text transaction rolled back to a savepoint", run: onConn("BEGIN", "SAVEPOINT a", "ROLLBACK TO SAVEPOINT a", "COMMIT")},
	{name: "begin in a string", run: onConn("SELECT '; BEGIN; --'", "SELECT /* ; BEGIN */ 1 -- ; BEGIN")},
	{name: "begin that fails", run: beginThatFails},
	{name: "one user of a pool of one", run: oneUser},
	{name: "pool that keeps no connection", run: keepsNone},
	{name: "bad connection", run: badConnection},
	{name: "Tx in a text transaction", run: txInText, on: []*backend{mysqlBackend}},
	{name: "text transaction in a Tx", run: textInTx, on: []*backend{mysqlBackend, pgxBackend}},
	{name: "ended behind the wrapper's back", run: endedBare, on: serverBackends},
	{name: "ended by Raw", run: endedByRaw, on: backends},
	{name: "ended in Bare", run: endedInBare, on: serverBackends},
	{name: "begin on purpose", run: beginOnPurpose},

	{name: "all in one text", run: onConn("BEGIN; INSERT INTO note VALUES (%d, 'a'); ROLLBACK"), on: []*backend{pgxBackend, pqBackend, sqliteBackend}},
	{name: "XA to its end", run: onConn("XA START 'look%d'", "XA END 'look%d'", "XA COMMIT 'look%d' ONE PHASE"), on: onMySQL},
	{name: "DDL commits", run: onConn("BEGIN", "CREATE TABLE look%d (id INT)"), on: onMySQL},
	{name: "LOCK TABLES commits", run: onConn("BEGIN", "LOCK TABLES item READ", "UNLOCK TABLES"), on: onMySQL},
	{name: "BEGIN unlocks tables", run: onConn("LOCK TABLES item READ", "BEGIN", "COMMIT"), on: onMySQL},
	{name: "BeginTx unlocks tables", run: txUnlocks, on: onMySQL},
	{name: "committed by EXECUTE IMMEDIATE", run: onConn("BEGIN", "EXECUTE IMMEDIATE 'COMMIT'"), on: onMySQL},
	{name: "committed by a procedure", run: onConn("CREATE PROCEDURE look%d() BEGIN START TRANSACTION; COMMIT; END", "BEGIN", "CALL look%d()"), on: onMySQL},
	{name: "block", run: onConn("BEGIN NOT ATOMIC SELECT 1; END"), on: onMySQL},
	{name: "executable comment", run: onConn("/*!40101 SET autocommit=0 */", "/*!40101 SET autocommit=1 */"), on: onMySQL},
	{name: "chain of transactions", run: onConn("BEGIN", "COMMIT AND CHAIN", "ROLLBACK"), on: serverBackends},
	{name: "deadlock", run: deadlock, on: onMySQL},

	{name: "lock and unlock", run: onConn("SELECT pg_advisory_lock(%d)", "SELECT pg_advisory_unlock(%d)"), on: onPostgres},
	{name: "lock of a transaction", run: onConn("BEGIN", "SELECT pg_advisory_xact_lock(%d)", "COMMIT"), on: onPostgres},
	{name: "lock of no row", run: onConn("SELECT pg_advisory_lock(id) FROM item WHERE id < 0"), on: onPostgres},
	{name: "unlocked in a block", run: onConn("SELECT pg_advisory_lock(%d)", "DO $$ BEGIN PERFORM pg_advisory_unlock_all(); END $$"), on: onPostgres},
	{name: "setting of a transaction", run: onConn("BEGIN", "SET LOCAL search_path = pg_catalog", "COMMIT"), on: onPostgres},
	{name: "setting rolled back", run: onConn("BEGIN", "SET search_path = pg_catalog", "ROLLBACK"), on: onPostgres},
	{name: "function with a body", run: onConn("CREATE FUNCTION look%d() RETURNS void LANGUAGE sql AS $$ SELECT 1; LISTEN look $$"), on: onPostgres},
	{name: "trigger with a body", run: onConn("CREATE TRIGGER look AFTER INSERT ON note BEGIN DELETE FROM note; END"), on: onSQLite},
}

// All checks are on: nothing is found all the same.
func TestSessionLookalikes(t *testing.T) {
	for _, l := range sessionLookalikes {
		on := l.on
		if on == nil {
			on = backends
		}
		t.Run(l.name, func(t *testing.T) {
			onEach(t, on, func(t *testing.T, b *backend) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := newApp(t, b, tracker.WithSessionChecks(tracker.SessionTransactions|tracker.SessionLocks|
						tracker.SessionTryLocks|tracker.SessionSettings|tracker.SessionListen))
					a.must(l.run(a))
					a.stays(time.Minute)
					a.verify()
					a.wantSilence()
				})
			})
		})
	}
}

// onConn runs texts on one Conn, with pauses, and gives it back. %d is the
// number of the connection.
func onConn(texts ...string) func(*app) error {
	return func(a *app) error {
		conn, err := a.db.Conn(a.ctx)
		if err != nil {
			return err
		}
		n := 1
		if a.session != "" {
			n = a.numberOf(conn)
		}
		for _, text := range texts {
			if strings.Contains(text, "%d") {
				text = strings.ReplaceAll(text, "%d", fmt.Sprint(n))
			}
			if _, err := conn.ExecContext(a.ctx, text); err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
			time.Sleep(5 * time.Second)
		}
		return conn.Close()
	}
}

func beginThatFails(a *app) error {
	for _, text := range []string{"BEGIN NONSENSE", "BEGIN; BEGIN; NONSENSE", "START TRANSACTION NONSENSE"} {
		if _, err := a.db.Exec(text); err == nil {
			return fmt.Errorf("no error: %s", text)
		}
		if a.backend != pgxBackend { // it closes what it doesn't like
			if _, err := a.db.Exec("ROLLBACK"); err != nil && a.backend != sqliteBackend {
				return err
			}
		}
	}
	return nil
}

// oneUser has the pool for himself, and takes his time.
func oneUser(a *app) error {
	a.db.SetMaxOpenConns(1)
	if a.backend == pgxBackend {
		return nil // it closes a connection that comes back like this
	}
	for _, text := range []string{"BEGIN", "INSERT INTO note VALUES (-1, 'a')", "SELECT 1", "ROLLBACK"} {
		if _, err := a.db.Exec(text); err != nil {
			return err
		}
		time.Sleep(10 * time.Second)
	}
	return nil
}

func keepsNone(a *app) error {
	a.db.SetMaxIdleConns(-1)
	_, err := a.db.Exec("BEGIN")
	return err
}

func badConnection(a *app) error {
	conn, err := a.db.Conn(a.ctx)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(a.ctx, "BEGIN"); err != nil {
		return err
	}
	if err := conn.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) {
		return fmt.Errorf("Raw: %v", err)
	}
	if err := conn.Close(); !errors.Is(err, sql.ErrConnDone) {
		return fmt.Errorf("Close: %v", err)
	}
	return nil
}

func txInText(a *app) error {
	conn, err := a.db.Conn(a.ctx)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(a.ctx, "BEGIN"); err != nil {
		return err
	}
	tx, err := conn.BeginTx(a.ctx, nil)
	if err != nil {
		return err
	}
	return errors.Join(tx.Commit(), conn.Close())
}

func textInTx(a *app) error {
	tx, err := a.db.BeginTx(a.ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.Exec("BEGIN"); err != nil {
		return err
	}
	return tx.Rollback()
}

func txUnlocks(a *app) error {
	conn, err := a.db.Conn(a.ctx)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(a.ctx, "LOCK TABLES item READ"); err != nil {
		return err
	}
	tx, err := conn.BeginTx(a.ctx, nil)
	if err != nil {
		return err
	}
	return errors.Join(tx.Rollback(), conn.Close())
}

// endedBare: what the server said last is asked for, not what the texts looked
// like.
func endedBare(a *app) error {
	conn, err := a.db.Conn(a.ctx)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(a.ctx, "BEGIN"); err != nil {
		return err
	}
	a.conns.mu.Lock()
	bare := a.conns.conns[len(a.conns.conns)-1].conn().(driver.ExecerContext)
	a.conns.mu.Unlock()
	if _, err := bare.ExecContext(context.Background(), "COMMIT", nil); err != nil {
		return err
	}
	return conn.Close()
}

func endedByRaw(a *app) error {
	conn, err := a.db.Conn(a.ctx)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(a.ctx, "BEGIN"); err != nil {
		return err
	}
	err = conn.Raw(func(dc any) error {
		_, err := driverwrap.Unwrap(dc).(driver.ExecerContext).ExecContext(a.ctx, "COMMIT", nil)
		return err
	})
	return errors.Join(err, conn.Close())
}

func endedInBare(a *app) error {
	conn, err := a.db.Conn(a.ctx)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(a.ctx, "SET SESSION statement_timeout = 0"); err != nil && a.backend != mysqlBackend {
		return err
	}
	err = driverwrap.Bare(conn, func(bare *sql.Conn) error {
		return bare.PingContext(a.ctx)
	})
	return errors.Join(err, conn.Close())
}

func beginOnPurpose(a *app) error {
	_, err := a.db.ExecContext(tracker.LongLived(a.ctx, "measured by the server"), "BEGIN")
	return err
}

// deadlock is told by the server, which rolls one transaction back, as it runs
// a statement or as its rows are read. Nothing else says so.
func deadlock(a *app) error {
	const table = "deadlock"
	for _, text := range []string{"CREATE OR REPLACE TABLE " + table + " (id INT PRIMARY KEY, n INT)", "INSERT INTO " + table + " VALUES (1, 0), (2, 0)"} {
		if _, err := a.db.Exec(text); err != nil {
			return err
		}
	}
	var conns [2]*sql.Conn
	for i := range conns {
		var err error
		if conns[i], err = a.db.Conn(a.ctx); err != nil {
			return err
		}
		if _, err := conns[i].ExecContext(a.ctx, "BEGIN"); err != nil {
			return err
		}
		if err := lockRow(a.ctx, conns[i], table, i+1); err != nil {
			return err
		}
	}
	errs := make(chan error, 2)
	for i := range conns {
		go func() {
			err := lockRow(a.ctx, conns[i], table, 2-i)
			if err == nil {
				_, err = conns[i].ExecContext(a.ctx, "COMMIT")
			} else if strings.Contains(err.Error(), "1213") {
				err = errPlanted
			}
			errs <- errors.Join(err, conns[i].Close())
		}()
	}
	one, other := <-errs, <-errs
	if got := errors.Join(one, other); !errors.Is(got, errPlanted) || one != nil && other != nil {
		return fmt.Errorf("want one deadlock, got %w", got)
	}
	return nil
}

func lockRow(ctx context.Context, conn *sql.Conn, table string, id int) error {
	rows, err := conn.QueryContext(ctx, fmt.Sprintf("SELECT n FROM %s WHERE id = %d FOR UPDATE", table, id))
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}
