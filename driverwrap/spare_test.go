package driverwrap_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
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
