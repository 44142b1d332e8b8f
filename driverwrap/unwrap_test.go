package driverwrap_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

type rawConn struct{ driver.Conn }

func (c rawConn) Raw() driver.Conn { return c.Conn }

type wrappedConn struct{ driver.Conn }

func (c wrappedConn) WrappedConn() any { return c.Conn }

type unwrapConn struct{ driver.Conn }

func (c unwrapConn) Unwrap() driver.Conn { return c.Conn }

// connected is a connector that has its connection.
type connected struct{ conn driver.Conn }

func (c connected) Connect(context.Context) (driver.Conn, error) { return c.conn, nil }
func (c connected) Driver() driver.Driver                        { return &plain{} }

// selfConn unwraps to itself, and has a type that can't be a map's key.
type selfConn struct {
	driver.Conn
	_ []int
}

func (c selfConn) Unwrap() driver.Conn { return c }

func TestUnwrap(t *testing.T) {
	tr := newTracker(t)
	c := &nopdriver.Connector{}
	inner, err := c.Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := driverwrap.WrapConnector(connected{inner}, driverwrap.WithTracker(tr)).Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for name, wrapped := range map[string]any{
		"bare":                  inner,
		"Raw":                   rawConn{inner},
		"Unwrap":                unwrapConn{inner},
		"WrappedConn":           wrappedConn{inner},
		"ours":                  ours,
		"ours inside another's": wrappedConn{rawConn{unwrapConn{ours}}},
	} {
		if got := driverwrap.Unwrap(wrapped); got != any(inner) {
			t.Errorf("%s: got %T", name, got)
		}
	}
	if err := ours.Close(); err != nil {
		t.Error(err)
	}
	if _, ok := driverwrap.Unwrap(selfConn{Conn: inner}).(selfConn); !ok {
		t.Error("a wrapper around itself was taken off")
	}

	db := driverwrap.OpenDB(c, driverwrap.WithTracker(tr))
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(dc any) error {
		if _, ok := dc.(interface{ Unwrap() driver.Conn }); !ok {
			t.Errorf("%T isn't wrapped", dc)
		}
		if got := driverwrap.Unwrap(dc); got == dc {
			t.Error("nothing was taken off")
		} else if _, ok := got.(driver.ExecerContext); !ok {
			t.Errorf("%T isn't the driver's own", got)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestUnwrapObjects takes what else a connection gives out of its wrapper.
func TestUnwrapObjects(t *testing.T) {
	fake := fakedriver.New(fakedriver.OnConn|fakedriver.OnStmt|fakedriver.TxIsConn, nil)
	db := driverwrap.OpenDB(fake.Connector(), driverwrap.WithTracker(newTracker(t)))
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(dc any) error {
		tx, err := dc.(driver.ConnBeginTx).BeginTx(ctx, driver.TxOptions{})
		if err != nil {
			return err
		}
		if got := driverwrap.Unwrap(tx); got != driverwrap.Unwrap(dc) {
			t.Errorf("the transaction is %T, not the connection", got)
		}
		stmt, err := dc.(driver.ConnPrepareContext).PrepareContext(ctx, "numbers")
		if err != nil {
			return err
		}
		//lint:ignore SA1019 a neutral one has the others
		if _, ok := driverwrap.Unwrap(stmt).(driver.ColumnConverter); !ok {
			t.Errorf("the statement is %T", driverwrap.Unwrap(stmt))
		}
		rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, nil)
		if err != nil {
			return err
		}
		if _, ok := driverwrap.Unwrap(rows).(fmt.Stringer); !ok {
			t.Errorf("the rows are %T", driverwrap.Unwrap(rows))
		}
		return errors.Join(rows.Close(), stmt.Close(), tx.Rollback())
	})
	if err != nil {
		t.Error(err)
	}
}

// wrapping is a connector of another package, which wraps each connection.
type wrapping struct {
	driver.Connector
	wrap func(driver.Conn) driver.Conn
}

func (w wrapping) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := w.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return w.wrap(c), nil
}

// between is one between two of ours.
func between(c driver.Connector) driver.Connector {
	return wrapping{c, func(c driver.Conn) driver.Conn { return rawConn{c} }}
}

func TestWrappedAroundAnotherWrapperIsOneRecord(t *testing.T) {
	tr := newTracker(t)
	with := driverwrap.WithTracker(tr)
	db := driverwrap.OpenDB(between(driverwrap.WrapConnector(&nopdriver.Connector{}, with)), with)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if p := tr.Snapshot().Pools; len(p) != 1 || p[0].Open[tracker.KindTx] != 1 || p[0].Stats == nil {
		t.Errorf("one transaction is recorded as %+v", p)
	}
	if err := errors.Join(tx.Rollback(), db.Close()); err != nil {
		t.Error(err)
	}
}
