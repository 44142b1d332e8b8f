package driverwrap

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"
	"weak"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// WrapConnector wraps a connector, for libraries that call [sql.OpenDB]
// themselves; elsewhere prefer [OpenDB]. Nobody tells the wrapper what becomes
// of it, so there is a pool in reports only while it has connections: opened
// here, and one for all DBs that are opened with the result. Wrap a connector
// once for each DB: a pool counts as closed as soon as one of them is.
//
// A connector that is wrapped already is wrapped anew. A nil connector gives
// one that connects to nothing and says so.
func WrapConnector(c driver.Connector, opts ...Option) driver.Connector {
	if isNil(c) {
		return nilConnector{}
	}
	inner, o := takeOff(c, opts)
	if o.tracker == nil {
		return inner
	}
	wrapped := &connector{inner: inner, options: o, pool: o.preparePool(subject(inner))}
	wrapped.offerProbe()
	return wrapped
}

// takeOff returns the bare connector of one that may be wrapped already, and
// the options for wrapping it again.
func takeOff(c driver.Connector, opts []Option) (inner driver.Connector, o options) {
	if w, ok := c.(*connector); ok {
		return w.inner, w.options.with(opts)
	}
	return c, newOptions(opts)
}

// connector records the connections that it makes. Its pool is nil if
// recording was off when it was made.
type connector struct {
	inner   driver.Connector
	options options
	pool    *record.Pool
	anchor  record.Anchor // of the DB
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.options.probe != nil {
		return c.probeConnect(ctx)
	}
	inner, err := c.inner.Connect(ctx)
	if err != nil {
		c.refused(err)
		return nil, err
	}
	return recordConn(inner, c.pool.Connected(ctx), c.inner), nil
}

// probeConnect is Connect for a pool whose server is to be asked.
func (c *connector) probeConnect(ctx context.Context) (driver.Conn, error) {
	inner, id, err := c.options.probe.Connect(ctx, c.inner)
	if err != nil {
		c.refused(err)
		return nil, err
	}
	rec := c.pool.Connected(ctx)
	rec.SetServerID(id)
	return recordConn(inner, rec, c.inner), nil
}

// offerProbe lets the pool's server be asked over connections of the bare
// connector, for as long as this one is there.
func (c *connector) offerProbe() {
	if c.options.probe == nil {
		return
	}
	ref := weak.Make(c)
	c.pool.SetProbe(c.options.probe, func() driver.Connector {
		if c := ref.Value(); c != nil {
			return c.inner
		}
		return nil
	})
}

// recordConn returns the connection, made by from, as it is to be used.
func recordConn(inner driver.Conn, rec *record.Conn, from driver.Connector) driver.Conn {
	if own := ownConn(inner); own != nil {
		own.moveTo(rec) // a connector of another's is in between
		if _, outermost := inner.(interface{ own() *conn }); !outermost {
			own.rec.Wrapped()
		}
		return inner
	}
	return wrapConn(inner, rec, from)
}

// Driver returns the bare driver: what (*sql.DB).Driver gives is often
// type-asserted.
func (c *connector) Driver() driver.Driver { return c.inner.Driver() }

// Close is called by (*sql.DB).Close.
func (c *connector) Close() error {
	defer c.pool.Close()
	if closer, ok := c.inner.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// Unwrap returns the connector that was wrapped.
func (c *connector) Unwrap() driver.Connector { return c.inner }

// isNil also sees through an interface that holds a nil pointer.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}
