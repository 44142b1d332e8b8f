package flame

import (
	"cmp"
	"container/heap"
)

// By is what the width of a box stands for.
type By uint8

// The measures.
const (
	ByCount By = iota // the number of handles
	ByAge             // the time that they have been open, together
)

var byNames = [...]string{"count", "age"}

// String returns the measure's name in lower case.
func (b By) String() string { return byNames[b] }

// ParseBy returns the measure of that name; an empty one is ByCount.
func ParseBy(name string) (By, bool) {
	for i, n := range byNames {
		if n == name {
			return By(i), true
		}
	}
	return ByCount, name == ""
}

// Of is the node's measure.
func (b By) Of(n *Node) float64 {
	if b == ByAge {
		return n.Seconds
	}
	return float64(n.Count)
}

// Box is a node in the graph or, if More is set, so many nodes that are too
// narrow to be drawn, with all that is below them.
type Box struct {
	Node *Node // with More, the one that they are below
	More int
	// Left and Width are shares of the graph's width, Row counts from the top.
	Left, Width float64
	Row         int
	// Above tells that the box is a caller of what the graph shows.
	Above bool
	// Count is the number of handles.
	Count int
}

// minWidth is the narrowest box, but for those of what is too narrow: a pixel
// or so on a wide screen.
const minWidth = 0.001

// Layout draws what is below the last node of a path from the root, and the
// path above it in full width. Of the nodes it takes the widest, and at most so
// many; what it leaves out is summed up in one box for each node that has more
// below it. The boxes are in the order of their branches, from the left, and a
// caller comes before what it calls.
func Layout(path []*Node, by By, most int) (boxes []Box, rows int) {
	l := layout{by: by, drawn: make(map[*Node]bool)}
	for row, n := range path[:len(path)-1] {
		l.boxes = append(l.boxes, Box{Node: n, Width: 1, Row: row, Above: true, Count: n.Count})
	}
	focus := path[len(path)-1]
	l.choose(focus, most)
	l.place(focus, 0, 1, len(path)-1)
	return l.boxes, l.rows
}

type layout struct {
	by    By
	drawn map[*Node]bool
	boxes []Box
	rows  int
}

// choose marks the nodes that are drawn.
func (l *layout) choose(focus *Node, most int) {
	whole := l.by.Of(focus)
	next := &widest{{focus, whole, 0}}
	for len(*next) > 0 && len(l.drawn) < most {
		c := heap.Pop(next).(candidate)
		l.drawn[c.node] = true
		for _, child := range c.node.Children {
			if w := l.by.Of(child); w >= minWidth*whole {
				heap.Push(next, candidate{child, w, c.depth + 1})
			}
		}
	}
}

// place makes the boxes of a node and of what is below it.
func (l *layout) place(n *Node, left, width float64, row int) {
	l.rows = max(l.rows, row+1)
	l.boxes = append(l.boxes, Box{Node: n, Left: left, Width: width, Row: row, Count: n.Count})
	whole := l.by.Of(n)
	share := func(w float64) float64 {
		if whole == 0 { // all are as old as the snapshot
			return 0
		}
		return width * w / whole
	}
	rest := Box{Node: n, Row: row + 1}
	var restOf float64
	for _, c := range n.Children {
		w := l.by.Of(c)
		if !l.drawn[c] {
			rest.More++
			rest.Count += c.Count
			restOf += w
			continue
		}
		l.place(c, left, share(w), row+1)
		left += share(w)
	}
	if rest.More > 0 {
		rest.Left, rest.Width = left, share(restOf)
		l.rows = max(l.rows, row+2)
		l.boxes = append(l.boxes, rest)
	}
}

// candidate is a node that may be drawn.
type candidate struct {
	node  *Node
	width float64
	depth int
}

// widest is a heap with the widest node first, and of equal ones that which is
// nearest to the top.
type widest []candidate

func (h widest) Len() int      { return len(h) }
func (h widest) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h widest) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[j].width, h[i].width), cmp.Compare(h[i].depth, h[j].depth), cmp.Compare(h[i].node.ID, h[j].node.ID)) < 0
}

// Push and Pop are for package heap.
func (h *widest) Push(x any) { *h = append(*h, x.(candidate)) }
func (h *widest) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	*h = (*h)[:last]
	return c
}
