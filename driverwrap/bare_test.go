package driverwrap_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestBare lends the driver's own connection, and looks what becomes of it.
func TestBare(t *testing.T) {
	failed := errors.New("failed")
	for _, tt := range []struct {
		name string
		f    func(bare *sql.Conn) error
		// want is the error, and discarded whether the connection is.
		want      error
		discarded bool
		calls     []string // into the driver, but for those when the connection is acquired and released
	}{
		{"nothing", func(*sql.Conn) error { return nil }, nil, false, nil},
		{"an error", func(*sql.Conn) error { return failed }, failed, false, nil},
		{"a query", func(bare *sql.Conn) error {
			rows, err := bare.QueryContext(ctx, "numbers")
			if err != nil {
				return err
			}
			return rows.Close()
		}, nil, false, []string{`conn1.QueryContext(string("numbers"), [])`, "rows1.Close()"}},
		{"the connection is found bad", func(bare *sql.Conn) error {
			bare.PingContext(ctx)
			return failed
		}, driver.ErrBadConn, true, []string{"conn1.Ping()", "conn1.Close()"}},
		{"closed", func(bare *sql.Conn) error { return bare.Close() }, driver.ErrBadConn, true, []string{"conn1.IsValid()", "conn1.Close()"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fake := fakedriver.New(fakedriver.OnConn|fakedriver.Unhashable, nil)
			fake.Script(fakedriver.Rule{Method: "Ping", Answer: fakedriver.Answer{Err: driver.ErrBadConn}})
			tr := newTracker(t)
			db := driverwrap.OpenDB(fake.Connector(), driverwrap.WithTracker(tr))
			defer db.Close()
			conn, err := db.Conn(ctx)
			if err != nil {
				t.Fatal(err)
			}
			fake.TakeCalls()
			var calls []string
			err = driverwrap.Bare(conn, func(bare *sql.Conn) error {
				if err := bare.Raw(sameConn(t, conn1)); err != nil {
					t.Error(err)
				}
				err := tt.f(bare)
				for _, c := range fake.TakeCalls() {
					calls = append(calls, c.String())
				}
				held := slices.DeleteFunc(tr.Snapshot().Open, func(f tracker.Finding) bool { return f.Kind == tracker.KindDB })
				if len(held) != 1 || held[0].Kind != tracker.KindConn || held[0].Busy != "raw" {
					t.Errorf("recorded meanwhile: %+v", held)
				}
				return err
			})
			if !errors.Is(err, tt.want) || tt.want == failed && err != failed {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if !slices.Equal(calls, tt.calls) {
				t.Errorf("the driver saw %q, want %q", calls, tt.calls)
			}
			fake.Script()
			want, left := error(nil), 1
			if tt.discarded {
				want, left = sql.ErrConnDone, 0
			}
			if err := conn.PingContext(ctx); err != want {
				t.Errorf("then %v, want %v", err, want)
			}
			if err := conn.Close(); err != want {
				t.Errorf("closed: %v, want %v", err, want)
			}
			if n := db.Stats().OpenConnections; n != left {
				t.Errorf("%d connections, want %d", n, left)
			}
		})
	}
}

const conn1 = "conn1"

// sameConn checks that it is called with the fake's connection of a name.
func sameConn(t *testing.T, name string) func(any) error {
	return func(driverConn any) error {
		if c, ok := driverConn.(interface{ Name() string }); !ok || c.Name() != name {
			t.Errorf("the connection is %T", driverConn)
		}
		return nil
	}
}

// oddConn is not what it says: it unwraps to something else.
type oddConn struct{ driver.Conn }

func (oddConn) WrappedConn() any { return "odd" }

func TestBareOfNoConnection(t *testing.T) {
	fake := fakedriver.New(0, nil)
	db := driverwrap.OpenDB(wrapping{fake.Connector(), func(c driver.Conn) driver.Conn { return oddConn{c} }}, driverwrap.WithTracker(newTracker(t)))
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = driverwrap.Bare(conn, func(*sql.Conn) error { t.Error("called"); return nil })
	if err == nil || errors.Is(err, driver.ErrBadConn) {
		t.Errorf("error %v", err)
	}
}
