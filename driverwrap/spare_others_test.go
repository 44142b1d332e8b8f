package driverwrap_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"runtime"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
)

// carelessConn is a wrapper outside of this package, which closes twice what it
// gets.
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

// closeTwice closes rows once more while others are open on the connection, which
// go on.
func closeTwice(t *testing.T, dc any) error {
	query := func(text string) driver.Rows {
		rows, err := dc.(driver.QueryerContext).QueryContext(t.Context(), text, nil)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	first := query("first")
	first.Close()
	second := query("second")
	defer second.Close()
	first.Close()
	return second.Next(make([]driver.Value, 1))
}

// Who isn't database/sql may close twice, and later.
func TestObjectsOfOthersAreNotUsedAgain(t *testing.T) {
	direct := func(c driver.Connector) *sql.DB {
		return driverwrap.OpenDB(c, driverwrap.WithTracker(newTracker(t)))
	}
	outside := func(c driver.Connector) driver.Connector {
		inner := driverwrap.WrapConnector(c, driverwrap.WithTracker(newTracker(t)))
		return wrapping{inner, func(c driver.Conn) driver.Conn { return carelessConn{c} }}
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
				return closeTwice(t, dc)
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
		return closeTwice(t, dc)
	})
	if err != nil {
		t.Error(err)
	}
}
