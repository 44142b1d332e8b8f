package driverwrap

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/maphash"
	"weak"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// An Option changes how a driver is wrapped.
type Option func(*options)

type options struct {
	tracker *tracker.Tracker
	name    string
	// driverName is the name under which the driver was registered.
	driverName string
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

func newOptions(opts []Option) options {
	o := options{tracker: tracker.Default()}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// Open is [sql.Open] with the driver wrapped. Its errors are those of
// sql.Open.
func Open(driverName, dsn string, opts ...Option) (*sql.DB, error) {
	o := newOptions(opts)
	// There is no other way to a registered driver, or to its opinion on the
	// data source, than to open a DB. Nothing has connected yet.
	bare, err := sql.Open(driverName, dsn)
	if err != nil || o.tracker == nil {
		return bare, err
	}
	d := bare.Driver()
	if err := bare.Close(); err != nil {
		return nil, fmt.Errorf("driverwrap: driver %q: closing the unused DB that it was found through: %w", driverName, err)
	}
	o.driverName = driverName
	c, err := openConnector(d, dsn, o)
	if err != nil {
		return nil, err
	}
	return openDB(c), nil
}

// OpenDB is [sql.OpenDB] with the connector wrapped.
func OpenDB(c driver.Connector, opts ...Option) *sql.DB {
	w := WrapConnector(c, opts...)
	if w, ok := w.(*connector); ok {
		return openDB(w)
	}
	return sql.OpenDB(w)
}

func openDB(c *connector) *sql.DB {
	db := sql.OpenDB(c)
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
	sql.Register(name, Wrap(d, append([]Option{func(o *options) { o.driverName = name }}, opts...)...))
}

// Wrap wraps a driver. The result implements [driver.DriverContext] whether d
// does or not, so that each DB opened with it is a pool of its own. A nil
// driver gives one that opens nothing and says so.
func Wrap(d driver.Driver, opts ...Option) driver.Driver {
	o := newOptions(opts)
	switch {
	case isNil(d):
		return nilDriver{}
	case o.tracker == nil:
		return d
	}
	if w, ok := d.(*wrapped); ok {
		d = w.inner // twice is one record per handle; the last options hold
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
	pool := w.options.openPool(w.inner, dsn)
	c := wrapConn(inner, pool.Connected(context.Background()))
	pool.Close()
	return c, nil
}

// OpenConnector is where [sql.Open] comes in.
func (w *wrapped) OpenConnector(dsn string) (driver.Connector, error) {
	c, err := openConnector(w.inner, dsn, w.options)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Unwrap returns the driver that was wrapped.
func (w *wrapped) Unwrap() driver.Driver { return w.inner }

func openConnector(d driver.Driver, dsn string, o options) (*connector, error) {
	var inner driver.Connector = dsnConnector{dsn: dsn, driver: d}
	if dc, ok := d.(driver.DriverContext); ok {
		c, err := dc.OpenConnector(dsn)
		if err != nil {
			return nil, err
		}
		inner = c
	}
	return &connector{inner: inner, pool: o.openPool(d, dsn)}, nil
}

func (o options) openPool(d driver.Driver, dsn string) *record.Pool {
	name := o.driverName
	if name == "" {
		name = fmt.Sprintf("%T", d)
	}
	source := redact(dsn)
	identity := uint64(0)
	switch {
	case dsn != "":
		identity = maphash.String(seed, dsn)
	case o.name != "":
		identity = maphash.String(seed, o.name) // no data source to tell by
	}
	pool := o.name
	if pool == "" {
		pool = source
	}
	if pool == "" {
		pool = name
	}
	return o.tracker.Recorder().OpenPool(pool, name, source, identity)
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
