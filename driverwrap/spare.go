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

// take is the spare object, or a new one.
func take[T any](spare **T) *T {
	o := *spare
	if o == nil {
		return new(T)
	}
	*spare = nil
	return o
}

func (c *conn) plainRows(inner driver.Rows) *rows {
	r := take(&c.spare.rows)
	r.inner, r.conn = inner, c
	return r
}

func (c *conn) newTx(inner driver.Tx) *tx {
	t := take(&c.spare.tx)
	t.inner, t.conn = inner, c
	return t
}

func (c *conn) newStmt(inner driver.Stmt, text string) *stmt {
	s := take(&c.spare.stmt)
	s.inner, s.conn, s.text = inner, c, text
	return s
}
