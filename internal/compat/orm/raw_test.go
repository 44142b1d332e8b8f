package orm

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/XSAM/otelsql"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"
	"github.com/luna-duclos/instrumentedsql"
	"github.com/mattn/go-sqlite3"
	mssql "github.com/microsoft/go-mssqldb"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// rawUse is what an application does with a connection of a driver that it
// knows, as the driver's documentation says.
type rawUse struct {
	name string
	on   *backend
	// use gets what (*sql.Conn).Raw gives, unwrapped.
	use func(context.Context, any) error
}

var rawUses = []rawUse{
	{"rows copied in", pgxBackend, func(ctx context.Context, dc any) error {
		_, err := dc.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{"book"}, []string{"id", "title", "pages"},
			pgx.CopyFromRows([][]any{{3, "Middlemarch", 880}}))
		return err
	}},
	{"notices handled", pqBackend, func(ctx context.Context, dc any) error {
		var notice string
		pq.SetNoticeHandler(dc.(driver.Conn), func(e *pq.Error) { notice = e.Message })
		defer pq.SetNoticeHandler(dc.(driver.Conn), nil)
		_, err := dc.(driver.ExecerContext).ExecContext(ctx, "DO $$ BEGIN RAISE NOTICE 'hello'; END $$", nil)
		if err == nil && notice != "hello" {
			err = errors.New("the notice is " + notice)
		}
		return err
	}},
	{"function registered", sqlite3Backend, func(_ context.Context, dc any) error {
		return dc.(*sqlite3.SQLiteConn).RegisterFunc("twice", func(n int64) int64 { return 2 * n }, true)
	}},
	{"rows copied in bulk", mssqlBackend, func(ctx context.Context, dc any) error {
		if dc.(*mssql.Conn).CreateBulkContext(ctx, "book", []string{"id"}) == nil {
			return errors.New("no bulk")
		}
		return nil
	}},
	{"results of several statements", mysqlBackend, func(_ context.Context, dc any) error {
		//lint:ignore SA1019 the driver's documentation has it
		result, err := dc.(driver.Execer).Exec("DELETE FROM book WHERE id = 1; DELETE FROM book", nil)
		if err != nil {
			return err
		}
		own := result.(mysql.Result)
		if got := own.AllRowsAffected(); !slices.Equal(got, []int64{1, 1}) {
			return errors.New("rows affected are others")
		}
		if got := own.AllLastInsertIds(); len(got) != 2 {
			return errors.New("insert ids are others")
		}
		return nil
	}},
}

// rawLayers are ways to wrap a driver.
var rawLayers = []struct {
	name string
	open func(d driver.Driver, dsn string, watch driverwrap.Option) (*sql.DB, error)
}{
	{"ours", func(d driver.Driver, dsn string, watch driverwrap.Option) (*sql.DB, error) {
		return openDriver(driverwrap.Wrap(d, watch), dsn)
	}},
	{"ours twice", func(d driver.Driver, dsn string, watch driverwrap.Option) (*sql.DB, error) {
		return openDriver(driverwrap.Wrap(driverwrap.Wrap(d, watch), watch), dsn)
	}},
	{"ours around another's", func(d driver.Driver, dsn string, watch driverwrap.Option) (*sql.DB, error) {
		return openDriver(driverwrap.Wrap(otelsql.WrapDriver(d), watch), dsn)
	}},
	{"ours inside another's", func(d driver.Driver, dsn string, watch driverwrap.Option) (*sql.DB, error) {
		return openDriver(otelsql.WrapDriver(driverwrap.Wrap(d, watch)), dsn)
	}},
	{"ours around another's around ours", func(d driver.Driver, dsn string, watch driverwrap.Option) (*sql.DB, error) {
		return openDriver(driverwrap.Wrap(otelsql.WrapDriver(driverwrap.Wrap(d, watch)), watch), dsn)
	}},
}

// openDriver is sql.Open for a driver that isn't registered.
func openDriver(d driver.Driver, dsn string) (*sql.DB, error) {
	if dc, ok := d.(driver.DriverContext); ok {
		c, err := dc.OpenConnector(dsn)
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(c), nil
	}
	return sql.OpenDB(openConnector{d, dsn}), nil
}

// An application reaches the driver's own connection, whoever has wrapped it,
// and the tracker knows of one connection that is held meanwhile.
func TestRaw(t *testing.T) {
	for _, u := range rawUses {
		for _, l := range rawLayers {
			t.Run(u.on.driver+" "+l.name, func(t *testing.T) {
				a := newApp(t, u.on, false, makeBooks...)
				watch, err := tracker.New()
				a.must(err)
				dsn := a.dsn
				if u.on == mysqlBackend {
					config, err := mysql.ParseDSN(dsn)
					a.must(err)
					config.MultiStatements = true
					dsn = config.FormatDSN()
				}
				db, err := l.open(a.db.Driver(), dsn, driverwrap.WithTracker(watch))
				a.must(err)
				conn, err := db.Conn(a.ctx)
				a.must(err)
				a.must(conn.Raw(func(dc any) error { return u.use(a.ctx, driverwrap.Unwrap(dc)) }))
				a.must(driverwrap.Bare(conn, func(bare *sql.Conn) error {
					return bare.Raw(func(dc any) error {
						if is, want := reflect.TypeOf(dc), reflect.TypeOf(bareConn(a)); is != want {
							t.Errorf("Bare gives %v, not %v", is, want)
						}
						return nil
					})
				}))
				a.must(conn.PingContext(a.ctx))
				held := 0
				for _, p := range watch.Snapshot().Pools {
					held += p.Open[tracker.KindConn]
				}
				if held != 1 {
					t.Errorf("%d connections are held, want 1", held)
				}
				a.must(errors.Join(conn.Close(), db.Close()))
				watch.AssertNoLeaks(t, tracker.IncludeDBs())
			})
		}
	}
}

// bareConn is a connection of the bare driver, closed.
func bareConn(a *app) driver.Conn {
	c, err := connector(a.driver, a.dsn)
	a.must(err)
	conn, err := c.Connect(a.ctx)
	a.must(err)
	a.must(conn.Close())
	return conn
}

// Interfaces of package driver are there without unwrapping, and so is what
// results have of their own.
func TestRawWithoutUnwrap(t *testing.T) {
	a := newApp(t, mysqlBackend, true, makeBooks...)
	conn, err := a.db.Conn(a.ctx)
	a.must(err)
	a.must(conn.Raw(func(dc any) error {
		result, err := dc.(driver.ExecerContext).ExecContext(a.ctx, "DELETE FROM book", nil)
		if err != nil {
			return err
		}
		if got := result.(mysql.Result).AllRowsAffected(); !slices.Equal(got, []int64{2}) {
			t.Errorf("rows affected %v", got)
		}
		//lint:ignore SA1019 the driver's documentation has it
		_, err = dc.(driver.Execer).Exec("DELETE FROM book", nil)
		return err
	}))
	a.must(conn.Close())
	a.verify(false)
}

// lib/pq has no methods of its own for copying in: a statement that begins
// with COPY does it, in a transaction, which is the connection itself.
func TestCopyIn(t *testing.T) {
	a := newApp(t, pqBackend, true, makeBooks...)
	tx, err := a.db.BeginTx(a.ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	a.must(err)
	stmt, err := tx.PrepareContext(a.ctx, `COPY book (id, title, pages) FROM STDIN`)
	a.must(err)
	for _, book := range [][]any{{3, "Middlemarch", 880}, {4, "Dracula", 418}} {
		_, err = stmt.ExecContext(a.ctx, book...)
		a.must(err)
	}
	_, err = stmt.ExecContext(a.ctx)
	a.must(err)
	a.must(errors.Join(stmt.Close(), tx.Commit()))
	undone, err := a.db.BeginTx(a.ctx, nil)
	a.must(err)
	_, err = undone.ExecContext(a.ctx, "DELETE FROM book")
	a.must(err)
	a.must(undone.Rollback())
	var n int
	a.must(a.db.QueryRowContext(a.ctx, "SELECT COUNT(*) FROM book").Scan(&n))
	if n != 4 {
		t.Errorf("%d books", n)
	}
	a.verify(false)
}

// Another's connections may be values that can't be compared or be the keys of
// maps. One of these can't be taken off either, and works all the same.
func TestUnhashableConnections(t *testing.T) {
	a := newApp(t, sqlite3Backend, false, makeBooks...)
	watch, err := tracker.New()
	a.must(err)
	for _, d := range []driver.Driver{
		driverwrap.Wrap(instrumentedsql.WrapDriver(a.db.Driver()), driverwrap.WithTracker(watch)),
		instrumentedsql.WrapDriver(driverwrap.Wrap(a.db.Driver(), driverwrap.WithTracker(watch))),
	} {
		db, err := openDriver(d, a.dsn)
		a.must(err)
		c, err := d.Open(a.dsn)
		a.must(err)
		if reflect.TypeOf(c).Comparable() && reflect.TypeOf(driverwrap.Unwrap(c)).Comparable() {
			t.Errorf("%T and %T can be compared", c, driverwrap.Unwrap(c))
		}
		a.must(c.Close())
		tx, err := db.BeginTx(a.ctx, nil)
		a.must(err)
		rows, err := tx.QueryContext(a.ctx, "SELECT * FROM book ORDER BY id")
		a.must(err)
		txs := 0
		for _, p := range watch.Snapshot().Pools {
			txs += p.Open[tracker.KindTx]
		}
		if txs != 1 {
			t.Errorf("%d transactions, want 1", txs)
		}
		a.saw = nil
		a.readBooks(rows)
		if !slices.Equal(a.saw, twoBooks) {
			t.Errorf("saw %q", a.saw)
		}
		a.must(errors.Join(tx.Commit(), db.Close()))
		watch.AssertNoLeaks(t, tracker.IncludeDBs())
	}
}
