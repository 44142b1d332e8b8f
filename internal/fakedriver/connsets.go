package fakedriver

import "database/sql/driver"

// There are two ways to choose the methods of an object, both by embedding.
// An embedded interface shows its own methods and hides the others of what it
// holds: so a few are given to an object that has none. Of two embedded types
// with a method of the same name neither shows it: so a few are taken from an
// object that has all.

// ConnSets are the sets of interfaces that a connection can have: none, each
// alone, all, all but one, and some of those that depend on each other.
func ConnSets() []Set { return setsOf(connVariants) }

type connVariant = variant[*conn, driver.Conn]

var connVariants = []connVariant{
	{0, func(c *conn) driver.Conn { return struct{ connWithTx }{c} }},
	{Pinger, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.Pinger
		}{c, c}
	}},
	{ConnPrepareContext, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.ConnPrepareContext
		}{c, c}
	}},
	{ConnBeginTx, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.ConnBeginTx
		}{c, c}
	}},
	{ExecerContext, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.ExecerContext
		}{c, c}
	}},
	{Execer, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.Execer
		}{c, c}
	}},
	{QueryerContext, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.QueryerContext
		}{c, c}
	}},
	{Queryer, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.Queryer
		}{c, c}
	}},
	{ConnNamedValueChecker, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.NamedValueChecker
		}{c, c}
	}},
	{SessionResetter, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.SessionResetter
		}{c, c}
	}},
	{Validator, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.Validator
		}{c, c}
	}},

	{OnConn, func(c *conn) driver.Conn { return c }},
	{OnConn &^ Pinger, func(c *conn) driver.Conn {
		return struct {
			*conn
			noPinger
		}{conn: c}
	}},
	{OnConn &^ ConnPrepareContext, func(c *conn) driver.Conn {
		return struct {
			*conn
			noConnPrepareContext
		}{conn: c}
	}},
	{OnConn &^ ConnBeginTx, func(c *conn) driver.Conn {
		return struct {
			*conn
			noConnBeginTx
		}{conn: c}
	}},
	{OnConn &^ ExecerContext, func(c *conn) driver.Conn {
		return struct {
			*conn
			noExecerContext
		}{conn: c}
	}},
	{OnConn &^ Execer, func(c *conn) driver.Conn {
		return struct {
			*conn
			noExecer
		}{conn: c}
	}},
	{OnConn &^ QueryerContext, func(c *conn) driver.Conn {
		return struct {
			*conn
			noQueryerContext
		}{conn: c}
	}},
	{OnConn &^ Queryer, func(c *conn) driver.Conn {
		return struct {
			*conn
			noQueryer
		}{conn: c}
	}},
	{OnConn &^ ConnNamedValueChecker, func(c *conn) driver.Conn {
		return struct {
			*conn
			noConnNamedValueChecker
		}{conn: c}
	}},
	{OnConn &^ SessionResetter, func(c *conn) driver.Conn {
		return struct {
			*conn
			noSessionResetter
		}{conn: c}
	}},
	{OnConn &^ Validator, func(c *conn) driver.Conn {
		return struct {
			*conn
			noValidator
		}{conn: c}
	}},

	// What depends on each other.
	{ExecerContext | QueryerContext, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.ExecerContext
			driver.QueryerContext
		}{c, c, c}
	}},
	{Execer | Queryer, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.Execer
			driver.Queryer
		}{c, c, c}
	}},
	{ExecerContext | Execer, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.ExecerContext
			driver.Execer
		}{c, c, c}
	}},
	{QueryerContext | Queryer, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.QueryerContext
			driver.Queryer
		}{c, c, c}
	}},
	{SessionResetter | Validator, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			driver.SessionResetter
			driver.Validator
		}{c, c, c}
	}},
	{OnConn &^ (Execer | Queryer), func(c *conn) driver.Conn {
		return struct {
			*conn
			noExecer
			noQueryer
		}{conn: c}
	}},
	{OnConn &^ (ExecerContext | QueryerContext), func(c *conn) driver.Conn {
		return struct {
			*conn
			noExecerContext
			noQueryerContext
		}{conn: c}
	}},
	{OnConn &^ (SessionResetter | Validator), func(c *conn) driver.Conn {
		return struct {
			*conn
			noSessionResetter
			noValidator
		}{conn: c}
	}},

	{Unhashable, func(c *conn) driver.Conn {
		return struct {
			connWithTx
			_ []int
		}{connWithTx: c}
	}},
	{Unhashable | OnConn, func(c *conn) driver.Conn {
		return struct {
			*conn
			_ []int
		}{conn: c}
	}},
}
