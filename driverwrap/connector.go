package driverwrap

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// WrapConnector wraps a connector, for use with [sql.OpenDB]; [OpenDB] does
// both and also shows what database/sql counts. The pool is recorded as
// opened here. A nil connector gives one that connects to nothing and says
// so; one that is wrapped already is returned as it is.
func WrapConnector(c driver.Connector, opts ...Option) driver.Connector {
	o := newOptions(opts)
	if isNil(c) {
		return nilConnector{}
	}
	if _, ok := c.(*connector); ok || o.tracker == nil {
		return c
	}
	return &connector{inner: c, pool: o.openPool(c.Driver(), "")}
}

// connector records the connections that it makes. Its pool is nil if
// recording was off when it was made.
type connector struct {
	inner driver.Connector
	pool  *record.Pool
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.inner.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if recorded(inner) {
		return inner, nil // by this package, with a wrapper of another's around it
	}
	return wrapConn(inner, c.pool.Connected(ctx)), nil
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
