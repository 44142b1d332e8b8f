package driverwrap_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

var ctx = context.Background()

func newTracker(t *testing.T) *tracker.Tracker {
	t.Helper()
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.AssertNoLeaks(t, tracker.IncludeDBs()) })
	return tr
}

// plain is a driver without a connector of its own.
type plain struct{ nopdriver.Connector }

func (p *plain) Open(dsn string) (driver.Conn, error) {
	if dsn == "bad" {
		return nil, errors.New("plain: bad data source")
	}
	return p.Connect(ctx)
}

func init() {
	sql.Register("plain", &plain{})
	sql.Register("strict", &strict{})
}

// strict is a driver that checks its data source when the DB is opened.
type strict struct{ plain }

var errStrict = errors.New("strict: bad data source")

func (s *strict) OpenConnector(dsn string) (driver.Connector, error) {
	if dsn == "bad" {
		return nil, errStrict
	}
	return &s.Connector, nil
}

func TestOpen(t *testing.T) {
	tr := newTracker(t)
	for _, tt := range []struct {
		driver, dsn string
		wantErr     string
	}{
		{"plain", "", ""},
		{"plain", "bad", "plain: bad data source"},
		{"strict", "", ""},
		{"strict", "bad", "strict: bad data source"},
		{"absent", "", `sql: unknown driver "absent" (forgotten import?)`},
		{"mysql", "shop", "invalid DSN"},
	} {
		t.Run(tt.driver+" "+tt.dsn, func(t *testing.T) {
			bare, bareErr := sql.Open(tt.driver, tt.dsn)
			db, err := driverwrap.Open(tt.driver, tt.dsn, driverwrap.WithTracker(tr))
			if (err == nil) != (bareErr == nil) || err != nil && err.Error() != bareErr.Error() {
				t.Fatalf("error %v, of the bare driver %v", err, bareErr)
			}
			if err == nil {
				defer bare.Close()
				defer db.Close()
				if db.Driver() != bare.Driver() {
					t.Errorf("driver is %T, bare %T", db.Driver(), bare.Driver())
				}
				err = db.Ping()
			}
			if tt.wantErr == "" && err != nil || tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)) {
				t.Errorf("error %v, want %q", err, tt.wantErr)
			}
		})
	}
}

func TestNothingPanicsOnNil(t *testing.T) {
	var nilMySQL *mysql.MySQLDriver
	for name, db := range map[string]*sql.DB{
		"connector":        driverwrap.OpenDB(nil),
		"wrapped nil":      sql.OpenDB(driverwrap.WrapConnector(nil)),
		"typed connector":  driverwrap.OpenDB((*nopdriver.Connector)(nil)),
		"no tracker, nil":  driverwrap.OpenDB(nil, driverwrap.WithTracker(nil)),
		"option is nil":    driverwrap.OpenDB(nil, nil),
		"registered":       registered(t, nil),
		"registered typed": registered(t, nilMySQL),
	} {
		err := db.Ping()
		if err == nil || !strings.HasPrefix(err.Error(), "driverwrap: ") || !strings.Contains(err.Error(), "is nil") {
			t.Errorf("%s: error %v", name, err)
		}
		db.Close()
	}
	if got := driverwrap.Unwrap(nil); got != nil {
		t.Errorf("Unwrap(nil) = %v", got)
	}
}

// newDriverName returns a name that no driver has: there is no way to give one
// up.
func newDriverName(prefix string) string {
	return fmt.Sprintf("%s %d", prefix, len(sql.Drivers()))
}

func registered(t *testing.T, d driver.Driver) *sql.DB {
	t.Helper()
	name := newDriverName("nil")
	driverwrap.Register(name, d)
	db, err := sql.Open(name, "")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestRegisterTwicePanics(t *testing.T) {
	name := newDriverName("twice")
	driverwrap.Register(name, &plain{})
	defer func() {
		if r := recover(); r != "sql: Register called twice for driver "+name {
			t.Errorf("recovered %v", r)
		}
	}()
	driverwrap.Register(name, &plain{})
}

func TestRegisteredDriver(t *testing.T) {
	tr := newTracker(t)
	bare, name := &plain{}, newDriverName("plain-watched")
	driverwrap.Register(name, bare, driverwrap.WithTracker(tr))
	db, err := sql.Open(name, "/shop.db?key=s3cret")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if db.Driver() != driver.Driver(bare) {
		t.Errorf("db.Driver() = %T", db.Driver())
	}
	p := tr.Snapshot().Pools
	if len(p) != 1 || p[0].Driver != name || p[0].Name != "/shop.db" || p[0].Source != "/shop.db" || p[0].Stats != nil {
		t.Fatalf("pools %+v", p)
	}
	if !strings.HasSuffix(p[0].Site.Function, "TestRegisteredDriver") {
		t.Errorf("opened at %v", p[0].Site)
	}
	twice, err := driverwrap.Open(name, "/shop.db", driverwrap.WithTracker(tr), driverwrap.WithName("twice"))
	if err != nil {
		t.Fatal(err)
	}
	defer twice.Close()
	if err := twice.Ping(); err != nil {
		t.Fatal(err)
	}
	if p := tr.Snapshot().Pools; len(p) != 2 || p[1].Name != "twice" || p[1].Idle != 1 || p[1].Stats.Idle != 1 {
		t.Errorf("pools %+v", p)
	}
}

func TestWithoutTrackerTheDriverIsBare(t *testing.T) {
	c := &nopdriver.Connector{}
	if got := driverwrap.WrapConnector(c, driverwrap.WithTracker(nil)); got != driver.Connector(c) {
		t.Errorf("connector is %T", got)
	}
	d := &plain{}
	if got := driverwrap.Wrap(d, driverwrap.WithTracker(nil)); got != driver.Driver(d) {
		t.Errorf("driver is %T", got)
	}
}

func TestWrappedTwiceIsOneRecord(t *testing.T) {
	tr := newTracker(t)
	with := driverwrap.WithTracker(tr)
	db := driverwrap.OpenDB(driverwrap.WrapConnector(&nopdriver.Connector{}, with), with)
	defer db.Close()
	rows, err := db.Query("rows 2")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if s := tr.Snapshot(); len(s.Pools) != 1 || s.Pools[0].Open[tracker.KindRows] != 1 {
		t.Errorf("pools %+v", s.Pools)
	}
}

// closing is a connector with something to close.
type closing struct {
	nopdriver.Connector
	err    error
	closed int
}

func (c *closing) Close() error { c.closed++; return c.err }

func TestConnectorIsClosed(t *testing.T) {
	tr := newTracker(t)
	want := errors.New("closing: failed")
	c := &closing{err: want}
	db := driverwrap.OpenDB(c, driverwrap.WithTracker(tr))
	if err := db.Close(); err != want || c.closed != 1 {
		t.Errorf("error %v, closed %d times", err, c.closed)
	}
}

var _ io.Closer = (*closing)(nil)

func TestConnectionOutsideADB(t *testing.T) {
	tr := newTracker(t)
	d := driverwrap.Wrap(&plain{}, driverwrap.WithTracker(tr))
	c, err := d.Open("")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(tr.Snapshot().Pools); n != 1 {
		t.Errorf("%d pools while it is open", n)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(tr.Snapshot().Pools); n != 0 {
		t.Errorf("%d pools after it was closed", n)
	}
}
