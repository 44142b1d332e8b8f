package driverwrap_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// diffHandle is something that a program opened. It stays in use for some
// time after it was closed: that must give the same errors too.
type diffHandle struct {
	name string      // of its kind and a number
	kind string      // "rows", "row", "tx", "conn", "stmt"
	on   *diffHandle // nil for the DB
	over bool        // closed by the program
	ctx  *diffContext
	// columns is how many the first result set has.
	columns int

	rows *sql.Rows
	row  *sql.Row
	tx   *sql.Tx
	conn *sql.Conn
	stmt *sql.Stmt
}

// maxHandles is how many of each kind a program keeps.
const maxHandles = 3

// add keeps a handle.
func (r *diffRun) add(h *diffHandle) {
	r.made[h.kind]++
	h.name = fmt.Sprintf("%s%d", h.kind, r.made[h.kind])
	h.ctx = r.op.ctx
	r.handles = append(r.handles, h)
	r.log("opened %s", h.name)
}

// trim forgets the oldest handles, so that a program doesn't hold too many.
func (r *diffRun) trim() {
	for _, kind := range []string{"rows", "row", "stmt", "tx", "conn"} {
		if same := r.ofKind(kind); len(same) > maxHandles {
			r.drop(same[0])
		}
	}
}

// drop closes and forgets a handle, and before it what was opened on it.
func (r *diffRun) drop(h *diffHandle) {
	for _, other := range slices.Clone(r.handles) {
		if other.on == h {
			r.drop(other)
		}
	}
	if !h.over {
		r.step("drop", func() { r.title("%s", h.name); r.log("%s", r.finish(h)) })
	}
	r.handles = slices.DeleteFunc(r.handles, func(other *diffHandle) bool { return other == h })
}

func (r *diffRun) ofKind(kinds ...string) (list []*diffHandle) {
	for _, h := range r.handles {
		for _, kind := range kinds {
			if h.kind == kind {
				list = append(list, h)
			}
		}
	}
	return list
}

// session is the transaction or connection that h belongs to, or nil if
// each of its calls takes a connection from the pool.
func (h *diffHandle) session() *diffHandle {
	if h == nil || h.kind == "tx" || h.kind == "conn" {
		return h
	}
	return h.on.session()
}

// clear closes what a program must close before it goes on with a session.
// database/sql would wait for it: to close a connection, for what runs on it,
// and any call can close one, if the driver says that it is broken. And of
// two rows of a transaction, nobody knows which one closes first with it.
func (r *diffRun) clear(session *diffHandle) {
	if session == nil {
		return
	}
	for _, h := range r.ofKind("rows", "row", "tx") {
		if !h.over && h != session && h.within(session) {
			r.log("cleared %s", r.finish(h))
		}
	}
}

// within reports whether h was opened on the session, or on a transaction on
// it.
func (h *diffHandle) within(session *diffHandle) bool {
	for on := h.on; on != nil; on = on.on {
		if on == session {
			return true
		}
	}
	return false
}

// finish closes a handle.
func (r *diffRun) finish(h *diffHandle) string {
	h.over = true
	var err error
	switch h.kind {
	case "rows":
		err = h.rows.Close()
	case "row":
		err = h.row.Scan() // there is no other way
	case "tx":
		err = h.tx.Rollback()
	case "conn":
		r.clear(h)
		err = h.conn.Close()
	case "stmt":
		err = h.stmt.Close()
	}
	return h.name + ": " + diffError(err)
}

// holder returns the oldest handle that holds a connection and can be closed
// while another call goes on. The closing of rows whose statement is closed
// already isn't over when their connection is free.
func (r *diffRun) holder() *diffHandle {
	for _, h := range r.handles {
		if !h.over && h.kind != "stmt" && (h.on == nil || h.on.session() == nil && !h.on.over) {
			return h
		}
	}
	return nil
}

type diffKey struct{}

// The kinds of context that a call can have.
const (
	ctxBackground = iota
	ctxBackground2
	ctxValue
	ctxCancel
	ctxCancel2
	ctxCanceled
	ctxDeadline
	ctxExceeded
	ctxShared // with the handle that the call is made on
	ctxOdd
	numContexts
)

// context makes the context for the present step.
func (r *diffRun) context(kind byte, on *diffHandle) *diffContext {
	n := len(r.contexts) + 1
	kind %= numContexts
	if kind == ctxShared && on != nil && on.ctx != nil {
		on.ctx.fresh = false
		r.op.ctx = on.ctx
		return on.ctx
	}
	if (kind <= ctxValue || kind == ctxOdd) && r.db.Stats().MaxOpenConnections > 0 {
		kind = ctxCancel // it may wait for a connection that a panic has lost
	}
	c := &diffContext{name: fmt.Sprintf("ctx%d", n), fresh: true}
	base := context.WithValue(context.Background(), diffKey{}, n)
	switch kind {
	case ctxBackground, ctxBackground2:
		c.Context, c.name = context.Background(), "background"
	case ctxValue:
		c.Context = base
	case ctxCanceled:
		ctx, cancel := context.WithCancel(base)
		cancel()
		c.Context, c.cancel = ctx, cancel
	case ctxDeadline, ctxExceeded:
		// Each ends at another time: the order would be anybody's guess.
		d := time.Second + time.Duration(n)*time.Millisecond
		if kind == ctxDeadline {
			c.timeout = d
		} else {
			d = -d
		}
		c.Context, c.cancel = context.WithTimeout(base, d)
	case ctxOdd:
		c.Context = &diffOddContext{base}
	default:
		c.Context, c.cancel = context.WithCancel(base)
	}
	r.contexts = append(r.contexts, c)
	r.op.ctx = c
	return c
}

// describeContext tells which of the application's contexts a driver got.
func (r *diffRun) describeContext(ctx context.Context) string {
	name := "other"
	if ctx == context.Background() {
		name = "background"
	}
	for _, c := range r.contexts {
		if c.Context == ctx {
			name = c.name
		}
	}
	return fmt.Sprintf("ctx=%s value=%v", name, ctx.Value(diffKey{}))
}

// diffOddContext has an error but doesn't end: database/sql only looks
// whether a context has ended.
type diffOddContext struct{ context.Context }

var errOdd = errors.New("odd context")

func (*diffOddContext) Err() error { return errOdd }
