package driverwrap

import "database/sql/driver"

// spares are objects of handles that were given back, to be used for the
// connection's next ones: allocating one takes as long as half of all the rest.
//
// What is kept is what only database/sql had (see record.Anchor.Sole). It asks
// nothing of rows, transactions and statements after it has closed them, once,
// and guards that with locks of its own (Go 1.26, 1.27); as it does what is done
// here, by that of the connection. Anybody else may do as he likes with what he
// has closed. Of the driver's own objects none is kept.
type spares struct {
	rows *rows
	tx   *tx
	stmt *stmt
}

func (c *conn) plainRows(inner driver.Rows) *rows {
	r := c.spare.rows
	if r == nil {
		return &rows{inner: inner, conn: c}
	}
	c.spare.rows, r.inner = nil, inner
	return r
}

func (c *conn) newTx(inner driver.Tx) *tx {
	t := c.spare.tx
	if t == nil {
		return &tx{inner: inner, conn: c}
	}
	c.spare.tx, t.inner = nil, inner
	return t
}

func (c *conn) newStmt(inner driver.Stmt, text string) *stmt {
	s := c.spare.stmt
	if s == nil {
		return &stmt{inner: inner, conn: c, text: text}
	}
	c.spare.stmt, s.inner, s.text = nil, inner, text
	return s
}
