package driverwrap_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
)

// Connectors that don't tell their driver: database/sql gets on without it.
type (
	panicking struct{ nopdriver.Connector }
	silent    struct{ nopdriver.Connector }
)

func (*panicking) Driver() driver.Driver { panic("not implemented") }

func (*silent) Driver() driver.Driver { return nil }

// giving is a driver that gives one connector.
type giving struct {
	plain
	connector driver.Connector
}

func (g *giving) OpenConnector(string) (driver.Connector, error) { return g.connector, nil }

func TestConnectorThatTellsNoDriver(t *testing.T) {
	for name, c := range map[string]driver.Connector{
		"*driverwrap_test.panicking": &panicking{},
		"*driverwrap_test.silent":    &silent{},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTracker(t)
			watch := driverwrap.WithTracker(tr)
			registered := newDriverName("giving")
			driverwrap.Register(registered, &giving{connector: c}, watch)
			byName, err := sql.Open(registered, "")
			if err != nil {
				t.Fatal(err)
			}
			for how, open := range map[string]struct {
				db     *sql.DB
				driver string // in reports
			}{
				"OpenDB":        {driverwrap.OpenDB(c, watch), name},
				"WrapConnector": {sql.OpenDB(driverwrap.WrapConnector(c, watch)), name},
				"Register":      {byName, registered},
				"Open":          {opened(t, registered), registered},
			} {
				if err := open.db.Ping(); err != nil {
					t.Errorf("%s: %v", how, err)
				}
				found := false
				for _, p := range tr.Snapshot().Pools {
					found = found || p.Driver == open.driver
				}
				if !found {
					t.Errorf("%s: no pool of driver %q in %+v", how, open.driver, tr.Snapshot().Pools)
				}
				if err := open.db.Close(); err != nil {
					t.Errorf("%s: %v", how, err)
				}
			}
		})
	}
}

// TestOpenFindsNoDriver asks for drivers that Open has no way to.
func TestOpenFindsNoDriver(t *testing.T) {
	for _, c := range []driver.Connector{&panicking{}, &silent{}, nil} {
		name := newDriverName("giving")
		sql.Register(name, &giving{connector: c})
		db, err := driverwrap.Open(name, "", driverwrap.WithTracker(newTracker(t)))
		if db != nil || err == nil || !strings.HasPrefix(err.Error(), "driverwrap: ") || !strings.Contains(err.Error(), name) {
			t.Errorf("%T: got %v, error %v", c, db, err)
		}
	}
}

// TestOpenDropsTheErrorOfTheUnusedDB has connectors that fail to close: what
// the application sees is the error of its own.
func TestOpenDropsTheErrorOfTheUnusedDB(t *testing.T) {
	name, want := newDriverName("giving"), errors.New("closing: failed")
	g := &giving{}
	c := &closingFor{closing{err: want}, g}
	g.connector = c
	sql.Register(name, g)
	db := opened(t, name, driverwrap.WithTracker(newTracker(t)))
	if c.closed != 1 {
		t.Errorf("the unused connector is closed %d times", c.closed)
	}
	if err := db.Ping(); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != want || c.closed != 2 {
		t.Errorf("error %v, closed %d times", err, c.closed)
	}
}

// closingFor tells its driver.
type closingFor struct {
	closing
	driver driver.Driver
}

func (c *closingFor) Driver() driver.Driver { return c.driver }

// betweenDrivers is a driver of another package between two of ours.
type betweenDrivers struct{ driver.Driver }

func (b betweenDrivers) Open(dsn string) (driver.Conn, error) {
	c, err := b.Driver.Open(dsn)
	if err != nil {
		return nil, err
	}
	return rawConn{c}, nil
}

// TestOneRecordAroundAnotherDriver opens a DB, and a connection alone.
func TestOneRecordAroundAnotherDriver(t *testing.T) {
	tr := newTracker(t)
	watch := driverwrap.WithTracker(tr)
	d := driverwrap.Wrap(betweenDrivers{driverwrap.Wrap(&plain{}, watch)}, watch)
	one := func(when string, want int) {
		t.Helper()
		if p := tr.Snapshot().Pools; len(p) != want {
			t.Errorf("%s: %d pools, want %d: %+v", when, len(p), want, p)
		}
	}
	c, err := d.Open("")
	if err != nil {
		t.Fatal(err)
	}
	one("a connection", 1)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	one("it is closed", 0)
	db, err := diffOpen(d, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(); err != nil {
		t.Error(err)
	}
	one("a DB", 1)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	one("it is closed", 0)
}
