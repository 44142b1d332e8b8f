package driverwrap_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"runtime"
	"testing"
	"weak"

	"github.com/dbleaks-go/dbleaks/driverwrap"
)

// once is a driver whose objects notice that they are used after they were
// closed.
type once struct {
	t    *testing.T
	made []*onceObject
}

type onceObject struct {
	of     *once
	text   string
	closed int
}

func (d *once) object(text string) *onceObject {
	o := &onceObject{of: d, text: text}
	d.made = append(d.made, o)
	return o
}

func (d *once) Connect(context.Context) (driver.Conn, error) { return onceConn{d}, nil }
func (d *once) Driver() driver.Driver                        { return nil }

type onceConn struct{ d *once }

func (c onceConn) Prepare(text string) (driver.Stmt, error) { return c.d.object(text), nil }
func (c onceConn) Begin() (driver.Tx, error)                { return c.d.object("tx"), nil }
func (c onceConn) ResetSession(context.Context) error       { return nil }
func (c onceConn) IsValid() bool                            { return true }
func (c onceConn) Close() error                             { return nil }
func (c onceConn) QueryContext(_ context.Context, text string, _ []driver.NamedValue) (driver.Rows, error) {
	return c.d.object(text), nil
}

func (o *onceObject) Close() error {
	o.closed++
	return nil
}

func (o *onceObject) use() {
	if o.closed > 0 {
		o.of.t.Errorf("%q is used after it was closed", o.text)
	}
}

func (o *onceObject) Commit() error   { o.use(); return o.Close() }
func (o *onceObject) Rollback() error { o.use(); return o.Close() }
func (o *onceObject) NumInput() int   { return 0 }
func (o *onceObject) Columns() []string {
	o.use()
	return []string{o.text}
}
func (o *onceObject) Next(dest []driver.Value) error {
	o.use()
	dest[0] = o.text
	return nil
}
func (o *onceObject) Exec([]driver.Value) (driver.Result, error) {
	o.use()
	return driver.ResultNoRows, nil
}
func (o *onceObject) Query([]driver.Value) (driver.Rows, error) {
	o.use()
	return o.of.object("rows of " + o.text), nil
}

// Each handle gives what was asked for with it, and is closed once, though the
// objects of those before are used again.
func TestObjectsAreUsedAgain(t *testing.T) {
	d := &once{t: t}
	db := driverwrap.OpenDB(d, driverwrap.WithTracker(newTracker(t)))
	db.SetMaxOpenConns(1)
	defer db.Close()
	one := func(rows *sql.Rows, err error, want string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var got string
		if !rows.Next() || rows.Scan(&got) != nil || got != want {
			t.Errorf("got %q, want %q (%v)", got, want, rows.Err())
		}
	}
	for range 3 {
		for _, text := range []string{"a", "b"} {
			rows, err := db.Query(text)
			one(rows, err, text)
			stmt, err := db.Prepare("prepared " + text)
			if err != nil {
				t.Fatal(err)
			}
			rows, err = stmt.Query()
			one(rows, err, "rows of prepared "+text)
			stmt.Close()
			var got string
			if err := db.QueryRow("row " + text).Scan(&got); err != nil || got != "row "+text {
				t.Errorf("got %q, %v, want %q", got, err, "row "+text)
			}
			tx, err := db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			first, err := tx.Query("first " + text)
			if err != nil {
				t.Fatal(err)
			}
			second, err := tx.Query("second " + text)
			one(second, err, "second "+text)
			one(first, nil, "first "+text)
			if text == "a" {
				tx.Commit()
			} else {
				tx.Rollback()
			}
		}
	}
	for _, o := range d.made {
		if o.closed != 1 {
			t.Errorf("%q was closed %d times", o.text, o.closed)
		}
	}
}

// What the driver gave back is the garbage collector's.
func TestClosedObjectsAreNotKept(t *testing.T) {
	d := &once{t: t}
	db := driverwrap.OpenDB(d, driverwrap.WithTracker(newTracker(t)))
	defer db.Close()
	for range 2 {
		var text string
		if err := db.QueryRow("rows").Scan(&text); err != nil {
			t.Fatal(err)
		}
		stmt, err := db.Prepare("stmt")
		if err != nil {
			t.Fatal(err)
		}
		stmt.Close()
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		tx.Commit()
	}
	var refs []weak.Pointer[onceObject]
	for _, o := range d.made[3:] { // of the second turn
		refs = append(refs, weak.Make(o))
	}
	texts := []string{"rows", "stmt", "tx"}
	d.made = nil
	runtime.GC()
	for i, ref := range refs {
		if ref.Value() != nil {
			t.Errorf("the driver's %s is kept", texts[i])
		}
	}
}

// careless wraps connections outside of this package, and closes twice what it
// gets from them.
type careless struct{ driver.Connector }

func (c careless) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return carelessConn{inner}, nil
}

type carelessConn struct{ driver.Conn }

func (c carelessConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, text, args)
	return &carelessRows{rows, nil}, err
}
func (c carelessConn) ResetSession(ctx context.Context) error {
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}
func (c carelessConn) IsValid() bool { return c.Conn.(driver.Validator).IsValid() }

type carelessRows struct {
	driver.Rows
	err error
}

// elsewhere connects on a goroutine of its own, as who has a deadline for it does.
type elsewhere struct{ driver.Connector }

func (c elsewhere) Connect(ctx context.Context) (conn driver.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err = c.Connector.Connect(ctx)
	}()
	<-done
	return conn, err
}

// before are rows that were closed, by whom it may be done again at any time.
var before driver.Rows

func (r *carelessRows) Close() error {
	before = r.Rows
	return r.Rows.Close()
}

func (r *carelessRows) Next(dest []driver.Value) error {
	if before != nil && before.Close() != nil {
		return io.ErrUnexpectedEOF
	}
	return r.Rows.Next(dest)
}

// Who isn't database/sql may close twice, and later.
func TestObjectsOfOthersAreNotUsedAgain(t *testing.T) {
	direct := func(c driver.Connector) *sql.DB {
		return driverwrap.OpenDB(c, driverwrap.WithTracker(newTracker(t)))
	}
	outside := func(c driver.Connector) driver.Connector {
		return careless{driverwrap.WrapConnector(c, driverwrap.WithTracker(newTracker(t)))}
	}
	queryRow := func(t *testing.T, db *sql.DB) {
		for _, text := range []string{"a", "b", "c"} {
			var got string
			if err := db.QueryRow(text).Scan(&got); err != nil || got != text {
				t.Errorf("got %q, %v, want %q", got, err, text)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		open  func(driver.Connector) *sql.DB
		query func(t *testing.T, db *sql.DB)
	}{
		{"a wrapper outside", func(c driver.Connector) *sql.DB { return sql.OpenDB(outside(c)) }, queryRow},
		{"one that connects elsewhere", func(c driver.Connector) *sql.DB { return sql.OpenDB(elsewhere{outside(c)}) }, queryRow},
		{"a Raw", direct, func(t *testing.T, db *sql.DB) {
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			err = conn.Raw(func(dc any) error {
				query := func(text string) driver.Rows {
					rows, err := dc.(driver.QueryerContext).QueryContext(t.Context(), text, nil)
					if err != nil {
						t.Fatal(err)
					}
					return rows
				}
				stmt, err := dc.(driver.ConnPrepareContext).PrepareContext(t.Context(), "a")
				if err != nil {
					t.Fatal(err)
				}
				stmt.Close()
				other, err := dc.(driver.ConnPrepareContext).PrepareContext(t.Context(), "b")
				if err != nil {
					t.Fatal(err)
				}
				defer other.Close()
				stmt.Close()
				other.NumInput()
				first := query("first")
				first.Close()
				second := query("second")
				defer second.Close()
				first.Close()
				return second.Next(make([]driver.Value, 1))
			})
			if err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before = nil
			d := &once{t: t}
			db := tt.open(d)
			defer db.Close()
			for range 2 {
				// So that objects could be used again that were released.
				rows, err := db.Query("warm")
				if err != nil {
					t.Fatal(err)
				}
				rows.Close()
				tt.query(t, db)
			}
		})
	}
}

// refusing is once whose transactions are refused.
type refusing struct{ *once }

func (d refusing) Connect(context.Context) (driver.Conn, error) {
	return refusingConn{onceConn{d.once}}, nil
}

type refusingConn struct{ onceConn }

func (refusingConn) Begin() (driver.Tx, error) { return nil, io.ErrUnexpectedEOF }

// The pool opens a connection by itself for who waits for one: then what he asks
// first of his Conn acquires it. If that is a transaction, which is refused, what
// comes next is no transaction.
func TestRawAfterRefusedBegin(t *testing.T) {
	d := &once{t: t}
	db := driverwrap.OpenDB(refusing{d}, driverwrap.WithTracker(newTracker(t)))
	defer db.Close()
	db.SetMaxOpenConns(1)
	first, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *sql.Conn, 1)
	go func() {
		c, err := db.Conn(t.Context())
		if err != nil {
			t.Error(err)
		}
		got <- c
	}()
	for db.Stats().WaitCount == 0 {
		runtime.Gosched()
	}
	first.Raw(func(any) error { return driver.ErrBadConn }) // the connection is closed
	conn := <-got
	defer conn.Close()
	if _, err := conn.BeginTx(t.Context(), nil); err == nil {
		t.Fatal("begun")
	}
	err = conn.Raw(func(dc any) error {
		tx, err := dc.(driver.ConnBeginTx).BeginTx(t.Context(), driver.TxOptions{})
		if err == nil {
			t.Error("begun, by the driver", tx)
		}
		a, err := dc.(driver.QueryerContext).QueryContext(t.Context(), "a", nil)
		if err != nil {
			return err
		}
		a.Close()
		b, err := dc.(driver.QueryerContext).QueryContext(t.Context(), "b", nil)
		if err != nil {
			return err
		}
		defer b.Close()
		a.Close()
		return b.Next(make([]driver.Value, 1))
	})
	if err != nil {
		t.Error(err)
	}
}
