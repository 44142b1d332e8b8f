package driverwrap_test

import (
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestOptionsAdd wraps what is wrapped: the options given last hold, of those
// given before what they leave open, and there is one record.
func TestOptionsAdd(t *testing.T) {
	named := driverwrap.WithName
	for _, tt := range []struct {
		name string
		open func(t *testing.T, watch driverwrap.Option) *sql.DB
		want string // the pool's name
	}{
		{"Open of a registered driver", func(t *testing.T, watch driverwrap.Option) *sql.DB {
			name := newDriverName("options")
			driverwrap.Register(name, &plain{}, watch, named("first"))
			return opened(t, name)
		}, "first"},
		{"Open of a registered driver, with options", func(t *testing.T, watch driverwrap.Option) *sql.DB {
			name := newDriverName("options")
			driverwrap.Register(name, &plain{}, watch, named("first"))
			return opened(t, name, named("last"))
		}, "last"},
		{"Open of a wrapped driver", func(t *testing.T, watch driverwrap.Option) *sql.DB {
			name := newDriverName("options")
			sql.Register(name, driverwrap.Wrap(&plain{}, watch, named("first")))
			return opened(t, name)
		}, "first"},
		{"Register of a wrapped driver", func(t *testing.T, watch driverwrap.Option) *sql.DB {
			name := newDriverName("options")
			driverwrap.Register(name, driverwrap.Wrap(&plain{}, watch, named("first")))
			db, err := sql.Open(name, "")
			if err != nil {
				t.Fatal(err)
			}
			return db
		}, "first"},
		{"OpenDB of a wrapped connector", func(t *testing.T, watch driverwrap.Option) *sql.DB {
			return driverwrap.OpenDB(driverwrap.WrapConnector(&nopdriver.Connector{}, watch, named("first")))
		}, "first"},
		{"OpenDB of a wrapped connector, with options", func(t *testing.T, watch driverwrap.Option) *sql.DB {
			return driverwrap.OpenDB(driverwrap.WrapConnector(&nopdriver.Connector{}, named("first")), watch, named("last"))
		}, "last"},
		{"WrapConnector of a wrapped connector", func(t *testing.T, watch driverwrap.Option) *sql.DB {
			return sql.OpenDB(driverwrap.WrapConnector(driverwrap.WrapConnector(&nopdriver.Connector{}, named("first")), watch, named("last")))
		}, "last"},
		{"OpenDB around another's wrapper", func(t *testing.T, watch driverwrap.Option) *sql.DB {
			return driverwrap.OpenDB(between(driverwrap.WrapConnector(&nopdriver.Connector{}, watch, named("first"))), watch, named("last"))
		}, "last"},
		{"OpenDB of a driver's connector", func(t *testing.T, watch driverwrap.Option) *sql.DB {
			c, err := driverwrap.Wrap(&plain{}, watch).(driver.DriverContext).OpenConnector("/shop.db?key=s3cret")
			if err != nil {
				t.Fatal(err)
			}
			return driverwrap.OpenDB(c)
		}, "/shop.db"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTracker(t)
			db := tt.open(t, driverwrap.WithTracker(tr))
			defer db.Close()
			rows, err := db.Query("rows 2")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			pools := tr.Snapshot().Pools
			if len(pools) != 1 || pools[0].Name != tt.want || pools[0].InUse != 1 || pools[0].Open[tracker.KindRows] != 1 {
				t.Errorf("want one pool %q with one rows, got %+v", tt.want, pools)
			}
		})
	}
}

func opened(t *testing.T, name string, opts ...driverwrap.Option) *sql.DB {
	t.Helper()
	db, err := driverwrap.Open(name, "", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestWithoutTrackerWrappersAreTakenOff(t *testing.T) {
	watch, bare := driverwrap.WithTracker(newTracker(t)), driverwrap.WithTracker(nil)
	c, d := &nopdriver.Connector{}, &plain{}
	if got := driverwrap.WrapConnector(driverwrap.WrapConnector(c, watch), bare); got != driver.Connector(c) {
		t.Errorf("connector is %T", got)
	}
	if got := driverwrap.Wrap(driverwrap.Wrap(d, watch), bare); got != driver.Driver(d) {
		t.Errorf("driver is %T", got)
	}
	name := newDriverName("options")
	driverwrap.Register(name, d, watch)
	db := opened(t, name, bare)
	defer db.Close()
	if err := db.Ping(); err != nil {
		t.Error(err)
	}
}

// counting is a driver that counts its connectors.
type counting struct {
	plain
	opened, closed int
}

func (c *counting) OpenConnector(string) (driver.Connector, error) {
	c.opened++
	return countingConnector{c}, nil
}

type countingConnector struct{ *counting }

func (c countingConnector) Driver() driver.Driver { return c.counting }

func (c countingConnector) Close() error { c.closed++; return nil }

// TestConnectorsThatOpenAsksFor holds what the documentation says.
func TestConnectorsThatOpenAsksFor(t *testing.T) {
	watch := driverwrap.WithTracker(newTracker(t))
	for _, tt := range []struct {
		name     string
		register func(name string, d driver.Driver)
		want     int
	}{
		{"bare", sql.Register, 2},
		{"registered", func(name string, d driver.Driver) { driverwrap.Register(name, d) }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name, d := newDriverName("counting"), &counting{}
			tt.register(name, d)
			db := opened(t, name, watch)
			if d.opened != tt.want || d.closed != tt.want-1 {
				t.Errorf("asked for %d connectors, closed %d of them, while the DB is open", d.opened, d.closed)
			}
			if err := db.Close(); err != nil || d.closed != tt.want {
				t.Errorf("error %v, closed %d of the connectors in the end", err, d.closed)
			}
		})
	}
}

// TestPoolOfAConnector makes DBs of a wrapped connector, or none.
func TestPoolOfAConnector(t *testing.T) {
	tr := newTracker(t)
	c := driverwrap.WrapConnector(&nopdriver.Connector{}, driverwrap.WithTracker(tr))
	pools := func(want int, when string) []tracker.Pool {
		t.Helper()
		p := tr.Snapshot().Pools
		if len(p) != want {
			t.Errorf("%s: %d pools, want %d", when, len(p), want)
		}
		return p
	}
	pools(0, "no DB")
	one, two := sql.OpenDB(c), sql.OpenDB(c)
	two.SetMaxIdleConns(-1)
	pools(0, "no connection")
	if err := one.Ping(); err != nil {
		t.Fatal(err)
	}
	if p := pools(1, "a connection"); !strings.HasSuffix(p[0].Site.Function, "TestPoolOfAConnector") {
		t.Errorf("opened at %v", p[0].Site)
	}
	if err := two.Ping(); err != nil {
		t.Fatal(err)
	}
	pools(1, "two DBs")
	one.Close()
	pools(0, "no connection left")
	tx, err := two.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if p := pools(1, "another connection"); p[0].Open[tracker.KindTx] != 1 {
		t.Errorf("the transaction isn't there: %+v", p)
	}
	tx.Rollback()
	two.Close()
	pools(0, "all closed")

	three, four := driverwrap.OpenDB(c), driverwrap.OpenDB(c)
	pools(2, "opened by OpenDB")
	three.Close()
	if p := pools(1, "one of them closed"); p[0].Closed {
		t.Error("the other one counts as closed")
	}
	four.Close()
}

// forgetful is another's driver around one of ours: it has a connector, whose
// Close is lost.
type forgetful struct{ driver.Driver }

func (f forgetful) OpenConnector(dsn string) (driver.Connector, error) {
	c, err := f.Driver.(driver.DriverContext).OpenConnector(dsn)
	return struct{ driver.Connector }{c}, err
}

// TestCloseLostByAnotherWrapper: what can't be known is no leak.
func TestCloseLostByAnotherWrapper(t *testing.T) {
	tr := newTracker(t)
	name := newDriverName("forgetful")
	sql.Register(name, forgetful{driverwrap.Wrap(&plain{}, driverwrap.WithTracker(tr))})
	db, err := sql.Open(name, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	if n := len(tr.Snapshot().Pools); n != 1 {
		t.Errorf("%d pools while it is open", n)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	tr.AssertNoLeaks(t, tracker.IncludeDBs(), tracker.Grace(0))
}
