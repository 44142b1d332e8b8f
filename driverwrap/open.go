package driverwrap

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/maphash"
	"unsafe"
	"weak"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// An Option changes how a driver is wrapped. What is wrapped already keeps the
// options it has where none of the same kind is given. With a wrapper of
// another package in between, the outer one records, by its own options; but
// if [Unwrap] can't take that wrapper off, both do, each for itself.
type Option func(*options)

type options struct {
	tracker *tracker.Tracker
	name    string
	// driverName is the name under which the driver was registered, and dsn
	// the data source, if they are known.
	driverName, dsn string
	probe           record.Probe // or nil
}

// WithTracker sets the tracker that records the handles; the default is
// [tracker.Default]. With nil nothing is recorded, and the bare driver is
// handed out.
func WithTracker(t *tracker.Tracker) Option {
	return func(o *options) { o.tracker = t }
}

// WithName sets the name of the pool in reports. The default is made from
// the data source, without its secrets. Where there is no data source
// ([OpenDB], [WrapConnector]), DBs of one name are taken to be of one source:
// only they are reported when their number keeps growing.
func WithName(poolName string) Option {
	return func(o *options) { o.name = poolName }
}

// WithProbe is for package serverview, whose Enable is what to call.
func WithProbe(p record.Probe) Option {
	return func(o *options) { o.probe = p }
}

func newOptions(opts []Option) options {
	return options{tracker: tracker.Default()}.with(opts)
}

// with returns the options with others on top.
func (o options) with(opts []Option) options {
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// Open is [sql.Open] with the driver wrapped. Its errors are those of
// sql.Open. The only way to a registered driver is a DB, whose Driver method
// tells it; that DB is closed unused, and a driver that makes connectors
// ([driver.DriverContext]) is then asked for a second one. It is also an error
// if such a connector tells no driver; and if it tells another than the
// registered one, the other is what is wrapped. Use [Register] or [OpenDB] for
// these.
func Open(driverName, dsn string, opts ...Option) (*sql.DB, error) {
	opts = append([]Option{withSource(driverName, dsn)}, opts...)
	bare, err := sql.Open(driverName, dsn)
	if known, ok := err.(wrappedAlready); ok {
		return open(known.driver.inner, known.driver.options.with(opts))
	}
	o := newOptions(opts)
	if err != nil || o.tracker == nil {
		return bare, err
	}
	d := driverOf(bare)
	bare.Close() // an error would be about a connector that the application never had
	if d == nil {
		return nil, fmt.Errorf("driverwrap: driver %q can't be found: its connector doesn't tell it; wrap the connector with OpenDB", driverName)
	}
	return open(d, o)
}

func open(d driver.Driver, o options) (*sql.DB, error) {
	c, err := bareConnector(d, o.dsn)
	if err != nil {
		return nil, err
	}
	return openDB(c, d, o), nil
}

// OpenDB is [sql.OpenDB] with the connector wrapped.
func OpenDB(c driver.Connector, opts ...Option) *sql.DB {
	if isNil(c) {
		return sql.OpenDB(nilConnector{})
	}
	inner, o := takeOff(c, opts)
	return openDB(inner, subject(inner), o)
}

func openDB(inner driver.Connector, of any, o options) *sql.DB {
	if o.tracker == nil {
		return sql.OpenDB(inner)
	}
	c := &connector{inner: inner, options: o, pool: o.openPool(of)}
	c.pool.Watch(&c.anchor)
	c.offerProbe()
	db := sql.OpenDB(c)
	c.pool.SetDB(uintptr(unsafe.Pointer(db)))
	// Weak: a DB that is dropped must stay collectable.
	ref := weak.Make(db)
	c.pool.SetStats(func() (sql.DBStats, bool) {
		if db := ref.Value(); db != nil {
			return db.Stats(), true
		}
		return sql.DBStats{}, false
	})
	return db
}

// Register is [sql.Register] with the driver wrapped, for libraries that take
// the name of a driver. It panics if the name is taken, as sql.Register does.
func Register(name string, d driver.Driver, opts ...Option) {
	sql.Register(name, Wrap(d, append([]Option{withSource(name, "")}, opts...)...))
}

func withSource(driverName, dsn string) Option {
	return func(o *options) { o.driverName, o.dsn = driverName, dsn }
}

// Wrap wraps a driver. The result implements [driver.DriverContext] whether d
// does or not, so that each DB opened with it is a pool of its own. A nil
// driver gives one that opens nothing and says so.
func Wrap(d driver.Driver, opts ...Option) driver.Driver {
	if isNil(d) {
		return nilDriver{}
	}
	o := newOptions(opts)
	if w, ok := d.(*wrapped); ok { // twice is one record per handle
		d, o = w.inner, w.options.with(opts)
	}
	if o.tracker == nil {
		return d
	}
	return &wrapped{inner: d, options: o}
}

// wrapped is a driver whose connections are recorded.
type wrapped struct {
	inner   driver.Driver
	options options
}

// Open opens one connection outside of any DB; it is recorded as a pool of
// its own, closed with it.
func (w *wrapped) Open(dsn string) (driver.Conn, error) {
	inner, err := w.inner.Open(dsn)
	if err != nil {
		return nil, err
	}
	pool := w.source(dsn).openPool(w.inner)
	c := recordConn(inner, pool.Connected(context.Background()), dsnConnector{dsn: dsn, driver: w.inner})
	pool.Close()
	return c, nil
}

// OpenConnector is where [sql.Open] comes in. Another caller is a wrapper
// around this one, which may not say when the DB is closed.
func (w *wrapped) OpenConnector(dsn string) (driver.Connector, error) {
	if calledBy(openFunction, func(function string) bool { return function == sqlOpenFunction }) {
		return nil, wrappedAlready{w}
	}
	inner, err := bareConnector(w.inner, dsn)
	if err != nil {
		return nil, err
	}
	c := &connector{inner: inner, options: w.source(dsn)}
	if calledBy(sqlOpenFunction, func(string) bool { return false }) {
		c.pool = c.options.openPool(w.inner)
		c.pool.Watch(&c.anchor)
	} else {
		c.pool = c.options.preparePool(w.inner)
	}
	c.offerProbe()
	return c, nil
}

func (w *wrapped) source(dsn string) options {
	o := w.options
	o.dsn = dsn
	return o
}

const (
	openFunction    = "github.com/dbleaks-go/dbleaks/driverwrap.Open"
	sqlOpenFunction = "database/sql.Open"
)

// wrappedAlready is how [Open] learns from sql.Open that a driver is a wrapped
// one. Nobody else gets it.
type wrappedAlready struct{ driver *wrapped }

func (wrappedAlready) Error() string { return "driverwrap: the driver is wrapped already" }

// Unwrap returns the driver that was wrapped.
func (w *wrapped) Unwrap() driver.Driver { return w.inner }

// bareConnector does what [sql.Open] does.
func bareConnector(d driver.Driver, dsn string) (driver.Connector, error) {
	if dc, ok := d.(driver.DriverContext); ok {
		return dc.OpenConnector(dsn)
	}
	return dsnConnector{dsn: dsn, driver: d}, nil
}

// subject is what a report names: the driver of a connector, or the connector
// itself if that doesn't tell.
func subject(c driver.Connector) any {
	if d := driverOf(c); d != nil {
		return d
	}
	return c
}

// driverOf returns the driver that a connector tells, or that of a DB; nil if
// there is none. database/sql never asks on its own account, so a method that
// nobody ever wrote, and that panics, may have gone unnoticed until now.
func driverOf(c interface{ Driver() driver.Driver }) (d driver.Driver) {
	defer func() { recover() }()
	return c.Driver()
}

// openPool records a DB.
func (o options) openPool(of any) *record.Pool {
	p := o.tracker.Recorder().OpenPool(o.describe(of))
	p.SetDriver(of)
	return p
}

// preparePool records what may become a DB.
func (o options) preparePool(of any) *record.Pool {
	p := o.tracker.Recorder().PreparePool(o.describe(of))
	p.SetDriver(of)
	return p
}

// describe returns what is recorded of a pool.
func (o options) describe(of any) (name, driverName, source string, identity uint64) {
	driverName = o.driverName
	if driverName == "" {
		driverName = fmt.Sprintf("%T", of)
	}
	source = redact(o.dsn)
	switch {
	case o.dsn != "":
		identity = maphash.String(seed, o.dsn)
	case o.name != "":
		identity = maphash.String(seed, o.name) // no data source to tell by
	}
	return cmp.Or(o.name, source, driverName), driverName, source, identity
}

// seed makes the identities of data sources, which hold secrets, worthless
// outside of the process.
var seed = maphash.MakeSeed()

// dsnConnector is database/sql's own connector for drivers that have none.
type dsnConnector struct {
	dsn    string
	driver driver.Driver
}

func (t dsnConnector) Connect(context.Context) (driver.Conn, error) { return t.driver.Open(t.dsn) }
func (t dsnConnector) Driver() driver.Driver                        { return t.driver }

var (
	errNilDriver    = errors.New("driverwrap: the driver that was to be wrapped is nil")
	errNilConnector = errors.New("driverwrap: the connector that was to be wrapped is nil")
)

// nilDriver stands for a driver that is nil.
type nilDriver struct{}

func (nilDriver) Open(string) (driver.Conn, error) { return nil, errNilDriver }

// nilConnector stands for a connector that is nil.
type nilConnector struct{}

func (nilConnector) Connect(context.Context) (driver.Conn, error) { return nil, errNilConnector }
func (nilConnector) Driver() driver.Driver                        { return nilDriver{} }
