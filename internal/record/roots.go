package record

import (
	"weak"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// openHandles appends the transactions and rows that are open.
func (c *Conn) openHandles(to []*Handle, state uint64) []*Handle {
	if state&firstOpen != 0 {
		to = append(to, &c.first)
	}
	return append(to, c.open...)
}

// collect asks the garbage collector about aged rows, and hands over young
// handles to it in a sweep.
func (l *looker) collect(open []*Handle) {
	for _, h := range open {
		switch {
		case h.swept:
			h.lost = h.kind == KindRows && h.aged.Value() == nil
		case l.sweep && l.aged < l.maxAged:
			l.aged++
			h.aged, h.swept = weak.Make(h.young), true
			h.young = nil
		}
	}
}

// roots adds the root causes on a connection in use. A handle that is proven
// lost takes the blame alone. Otherwise it is the outermost one, in which the
// others will end: its index is returned, or -1.
func (l *looker) roots(open []*Handle) int {
	c := l.conn
	lost := false
	var tx, rows *Handle
	for _, h := range open {
		switch {
		case h.kind == KindTx:
			l.n.Txs++
			if tx == nil || h.seq < tx.seq {
				tx = h
			}
		case h.Stack.Origin.Method == callstack.MethodQueryRow:
			l.n.Row++
		default:
			l.n.Rows++
		}
		if h.kind == KindRows && (rows == nil || h.seq < rows.seq) {
			rows = h
		}
		lost = lost || h.isLost()
	}
	o := &c.acq.Stack.Origin
	if o.Conn {
		l.n.Conns++
	}
	stuckTx := tx != nil && tx.stuck != nil // and all that is in it
	if lost && !stuckTx {
		for _, h := range open {
			if h.isLost() {
				v := l.add()
				h.fill(v, l.policy)
				l.judge(v)
			}
		}
		return -1
	}
	root := l.add()
	var self *Handle
	switch {
	case !stuckTx && (tx == nil && rows == nil || o.Conn):
		*root = c.acq.view(l.policy)
	case tx != nil:
		self = tx
		tx.fill(root, l.policy)
	default:
		self = rows
		rows.fill(root, l.policy)
	}
	byContext := root.Context
	for _, h := range open {
		if h == self {
			continue
		}
		root.Children = append(root.Children, h.child())
		if t := h.terms; t != nil && t.LongLived != "" {
			root.setTerms(l.policy, t) // held on purpose, and so what holds it
		} else if inside := l.policy.limit(h.kind, h.Stack, t); inside.outlasts(root.Limit, byContext) {
			root.Limit = inside // what holds it may wait for as long
		}
	}
	l.judge(root)
	at := len(l.views) - 1
	if root.Threshold == 0 { // may be held for ever; what is open inside may not
		for _, h := range []*Handle{tx, rows} {
			if h == nil || h == self {
				continue
			}
			v := l.add()
			h.fill(v, l.policy)
			if l.judge(v); v.Overdue {
				break
			}
			l.views = l.views[:len(l.views)-1]
		}
	}
	return at
}
