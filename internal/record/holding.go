package record

import (
	"cmp"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
	"github.com/dbleaks-go/dbleaks/internal/servererr"
)

// maxHoldings bounds the lines that are remembered of a refusal.
const maxHoldings = 100

// Held is what the pools of a data source held when a call was refused.
type Held struct {
	Pools       int // that had connections
	InUse, Idle int // connections
	// Holdings are by line, the most first. Others counts what those have
	// that are not listed.
	Holdings []Holding
	Others   int
}

// Holding is what one line held.
type Holding struct {
	Kind  Kind // KindDB for idle connections: the line opened their DBs
	Stack *callstack.Stack
	Count int
	// Copies are the statements, of Count, that database/sql has prepared
	// again on another connection. Pools is how many Count is of.
	Copies, Pools int
	Age           time.Duration // of the oldest
	Busy          Op            // the driver call that it was in
	// Calling is set for a call that had not come back yet.
	Calling bool
}

// heldAgainst is what keeps a call from being served: what is open, but for what
// the call itself is part of.
func (p *Pool) heldAgainst(what servererr.What, by *Conn) (h Held) {
	holds := holder{lines: make(map[line]int)}
	for _, q := range p.Alike() {
		views, n := q.Look(Policy{}, false)
		if n.InUse+n.Idle > 0 {
			h.Pools++
		}
		h.InUse += n.InUse
		h.Idle += n.Idle
		switch what {
		case servererr.Connections:
			holds.connections(q, views, n.InUse+n.Idle)
		case servererr.Statements:
			holds.statements(views)
		case servererr.Locks:
			holds.open(views, by)
		}
	}
	slices.SortStableFunc(holds.list, func(a, b Holding) int {
		return cmp.Or(compareBool(a.Calling, b.Calling), cmp.Compare(b.Count, a.Count), cmp.Compare(b.Age, a.Age))
	})
	for _, x := range holds.list[min(len(holds.list), maxHoldings):] {
		h.Others += x.Count
	}
	h.Holdings = slices.Clone(holds.list[:min(len(holds.list), maxHoldings)])
	return h
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// holder counts what is held, by line.
type holder struct {
	lines map[line]int // index in the list
	list  []Holding
	last  []*Pool // for each of the list
}

type line struct {
	kind  Kind
	stack *callstack.Stack
}

func (h *holder) add(p *Pool, x Holding) {
	key := line{x.Kind, x.Stack}
	i, known := h.lines[key]
	if !known {
		i = len(h.list)
		h.lines[key] = i
		h.list = append(h.list, Holding{Kind: x.Kind, Stack: x.Stack, Calling: x.Calling})
		h.last = append(h.last, nil)
	}
	e := &h.list[i]
	e.Count += x.Count
	e.Copies += x.Copies
	if x.Age >= e.Age {
		e.Age, e.Busy = x.Age, x.Busy
	}
	if h.last[i] != p { // one pool comes after the other
		h.last[i] = p
		e.Pools++
	}
}

func (h *holder) view(v *View) {
	h.add(v.Pool, Holding{
		Kind: v.Kind, Stack: v.Stack, Count: 1, Age: v.Age, Busy: v.Busy, Calling: v.Call(),
	})
}

// connections counts what has each connection of the pool. Those that nothing
// has are the DB's.
func (h *holder) connections(p *Pool, views []View, all int) {
	views = onePerConn(views)
	for i := range views {
		h.view(&views[i])
	}
	if idle := all - len(views); idle > 0 {
		h.add(p, Holding{Kind: KindDB, Stack: p.Opened.Stack, Count: idle, Age: p.Age()})
	}
}

func (h *holder) statements(views []View) {
	for i := range views {
		v := &views[i]
		if v.Kind == KindStmt {
			h.statement(v.Pool, v.Stack, v.Age)
		}
		for _, c := range v.Children {
			if c.Kind == KindStmt {
				h.statement(v.Pool, c.Stack, v.Age)
			}
		}
	}
}

func (h *holder) statement(p *Pool, s *callstack.Stack, age time.Duration) {
	x := Holding{Kind: KindStmt, Stack: s, Count: 1, Age: age}
	if s.Origin.Method != callstack.MethodPrepare {
		x.Copies = 1
	}
	h.add(p, x)
}

func (h *holder) open(views []View, by *Conn) {
	for i := range views {
		if v := &views[i]; v.Kind != KindStmt && v.conn != by {
			h.view(v)
		}
	}
}
