package fakedriver

import (
	"context"
	"database/sql/driver"
	"io"
)

// Driver returns the driver, the same at each call.
func (f *Fake) Driver() driver.Driver {
	if f.Has.Has(DriverContext) {
		return contextDriver{f.driver}
	}
	return f.driver
}

// Connector returns a connector, for [sql.OpenDB].
func (f *Fake) Connector() driver.Connector {
	c := &connector{f}
	if f.Has.Has(ConnectorCloser) {
		return closingConnector{c, c}
	}
	return plainConnector{c}
}

type fakeDriver struct{ fake *Fake }

func (d *fakeDriver) Open(dsn string) (driver.Conn, error) {
	return d.fake.connect(Call{Object: "driver", Method: "Open", Args: []any{dsn}})
}

type contextDriver struct{ *fakeDriver }

func (d contextDriver) OpenConnector(dsn string) (driver.Connector, error) {
	a := d.fake.call(Call{Object: "driver", Method: "OpenConnector", Args: []any{dsn}})
	if a.Err != nil {
		return nil, a.Err
	}
	return d.fake.Connector(), nil
}

type connector struct{ fake *Fake }

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	return c.fake.connect(Call{Object: "connector", Method: "Connect", Ctx: ctx})
}

func (c *connector) Driver() driver.Driver { return c.fake.Driver() }

func (c *connector) Close() error {
	return c.fake.call(Call{Object: "connector", Method: "Close"}).Err
}

// plainConnector hides the connector's Close.
type plainConnector struct{ driver.Connector }

// closingConnector shows it.
type closingConnector struct {
	driver.Connector
	io.Closer
}

func (f *Fake) connect(call Call) (driver.Conn, error) {
	a := f.call(call)
	if a.Err != nil || a.Nil {
		return nil, a.Err
	}
	return f.newConn(), nil
}
