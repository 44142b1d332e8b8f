package serverview

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// ErrNotSupported is wrapped by the error of a look at a server that is none of
// those that the package knows.
var ErrNotSupported = errors.New("server not supported")

// flavor is what tells one kind of server from another.
type flavor struct {
	kind string
	// identity asks for the number of the connection and something that tells
	// the server from others.
	identity string
	look     func(context.Context, *look) error
	// kill is the statement that ends a session, with its number.
	kill string
	// namesQuoted tells that double quotes are around names, not values.
	namesQuoted bool
}

// whoAmI asks for the connection's own number.
func (f *flavor) whoAmI(ctx context.Context, q *sql.Conn) (id uint64, server string, err error) {
	var at sql.NullString
	if err := q.QueryRowContext(ctx, f.identity).Scan(&id, &at); err != nil {
		return 0, "", fmt.Errorf("ask for the connection's number: %w", err)
	}
	return id, at.String, nil
}

// flavorOf asks a server which it is.
func flavorOf(ctx context.Context, q *sql.Conn) (f *flavor, version string, err error) {
	if err := q.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		if ctx.Err() == nil && q.PingContext(ctx) == nil {
			return nil, "", fmt.Errorf("%w: it isn't MariaDB, MySQL or PostgreSQL: asked for its version, it said: %w", ErrNotSupported, err)
		}
		return nil, "", fmt.Errorf("ask the server for its version: %w", err)
	}
	if f = flavorByVersion(version); f == nil {
		return nil, version, fmt.Errorf("%w: it isn't MariaDB, MySQL or PostgreSQL, but %q", ErrNotSupported, version)
	}
	return f, version, nil
}

// flavorByVersion goes by what the servers say of themselves: "10.11.19-MariaDB",
// "8.4.3", "5.7.44-log", "PostgreSQL 15.18 (Debian …) on …". nil for others, and for
// those that only speak the same language.
func flavorByVersion(version string) *flavor {
	for _, other := range []string{"TiDB", "Vitess", "Redshift", "CockroachDB"} {
		if strings.Contains(version, other) {
			return nil
		}
	}
	switch {
	case strings.HasPrefix(version, "PostgreSQL "):
		return postgresFlavor
	case strings.Contains(version, "MariaDB"):
		return mariaDBFlavor
	case strings.HasPrefix(version, "5."):
		return mySQL57Flavor
	case version != "" && '0' <= version[0] && version[0] <= '9':
		return mySQLFlavor
	}
	return nil
}

// lender is a connector of one connection.
type lender struct{ conn driver.Conn }

func (l lender) Connect(context.Context) (driver.Conn, error) { return l.conn, nil }

func (l lender) Driver() driver.Driver { return l }

func (l lender) Open(string) (driver.Conn, error) { return l.conn, nil }

// borrowed is a driver's connection that is asked through database/sql.
type borrowed struct {
	*sql.Conn
	driverConn driver.Conn
	// panicked is set if a call never came back: then database/sql still waits
	// for it.
	panicked bool
}

// borrow lets a driver's connection be asked. Nothing of that is left
// afterwards, and the connection stays open, unless it breaks.
func borrow(ctx context.Context, conn driver.Conn) (*borrowed, error) {
	db := sql.OpenDB(lender{conn})
	defer db.Close() // not the connection, which is in use
	c, err := db.Conn(ctx)
	return &borrowed{Conn: c, driverConn: conn}, err
}

// discard closes the driver's connection, if that hasn't happened.
func (b *borrowed) discard() {
	defer func() { recover() }()
	if b.Conn == nil || b.panicked {
		b.driverConn.Close()
		return
	}
	b.Conn.Close() // for its DB is closed
}

// caught makes a panic of the driver an error, when deferred.
func (b *borrowed) caught(err *error) {
	if v := recover(); v != nil {
		b.panicked = true
		*err = panicked(v)
	}
}

// ownConn is the connection of a look.
type ownConn struct {
	*borrowed
	session *record.ServerID // what the probe learned of it; or nil
	shared  bool             // made by the pool's own connector
}

// connect makes the connection of a look.
func (p *probe) connect(ctx context.Context, pool driver.Connector) (*ownConn, error) {
	own := &ownConn{shared: p.through == nil}
	c := pool
	if p.through != nil {
		c = p.through
	}
	if c == nil {
		return nil, errors.New("the DB is gone, and its connector with it; serverview.Through can give another")
	}
	var told greeted
	conn, err := c.Connect(context.WithValue(ctx, greetedKey{}, &told))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if own.session = told.session(); own.session == nil {
		own.session = pgxSession(conn)
	}
	if own.borrowed, err = borrow(ctx, conn); err != nil {
		own.discard()
		return nil, err
	}
	return own, nil
}

// safeConnect is connect for drivers that panic.
func (p *probe) safeConnect(ctx context.Context, pool driver.Connector) (own *ownConn, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
	}()
	return p.connect(ctx, pool)
}

func panicked(v any) error { return fmt.Errorf("the driver panicked: %v", v) }
