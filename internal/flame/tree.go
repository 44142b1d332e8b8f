// Package flame makes a flame graph of open handles: a tree of the calls that
// opened them, and its layout in boxes whose widths say how many handles, or
// how much time, each call answers for.
package flame

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// Node is a call, or at the end of a branch the handles that were opened there.
type Node struct {
	// ID names the path to the node. It is the same in every snapshot and in
	// every build of the same code.
	ID string
	// Frame is the call's; the root has none, and Handles are set instead at
	// the end of a branch.
	Frame   tracker.Frame
	Handles *Handles
	// Count is the number of handles below, Seconds how long they have been
	// open together, and State that of the worst of them.
	Count    int
	Seconds  float64
	State    tracker.State
	Children []*Node // sorted by their names

	hash uint64
}

// Handles are those of one finding that were opened by the same calls.
type Handles struct {
	Finding tracker.Finding
	Leaked  int // of the node's Count
}

// New makes the tree of what the snapshot holds: its findings, and what is open
// within its thresholds. Handles inside others are part of those, and a DB
// counts in a finding only, for every program has one open. The library frames
// in front of a site are left out.
func New(s tracker.Snapshot) *Node {
	root := newNode(0, "", "")
	for _, f := range s.Findings {
		root.add(f)
	}
	for _, f := range s.Open {
		if f.Kind != tracker.KindDB {
			root.add(f)
		}
	}
	root.sort()
	return root
}

func newNode(parent uint64, name, detail string) *Node {
	h := fnv.New64a()
	h.Write(binary.LittleEndian.AppendUint64(nil, parent))
	h.Write([]byte(name))
	h.Write([]byte("\x00" + detail))
	sum := h.Sum64()
	return &Node{ID: fmt.Sprintf("%016x", sum), hash: sum}
}

func (n *Node) add(f tracker.Finding) {
	for c := range f.Callers() {
		state := f.State
		if state == tracker.StateLeaked && c.Leaked == 0 {
			state = tracker.StateOverdue // what is proven came another way
		}
		at := n
		at.count(state, c)
		for _, frame := range slices.Backward(fromSite(c.Stack, f.Site)) {
			at = at.call(frame)
			at.count(state, c)
		}
		end := at.end(f)
		end.Handles.Leaked += c.Leaked
		end.count(state, c)
	}
}

// end returns the child that is the handles of the finding.
func (n *Node) end(f tracker.Finding) *Node {
	for _, c := range n.Children {
		if c.Handles != nil && c.Handles.Finding.ID == f.ID {
			return c // two calls in one line
		}
	}
	c := newNode(n.hash, "handles", f.ID)
	c.Handles = &Handles{Finding: f}
	n.Children = append(n.Children, c)
	return c
}

func (n *Node) count(s tracker.State, c tracker.Callers) {
	n.Count += c.Count
	n.Seconds += c.HandleSeconds
	n.State = max(n.State, s)
}

// call returns the child that is the call.
func (n *Node) call(f tracker.Frame) *Node {
	for _, c := range n.Children {
		if c.Handles == nil && c.Frame == f {
			return c
		}
	}
	c := newNode(n.hash, f.Function, strconv.Itoa(f.Line))
	c.Frame = f
	n.Children = append(n.Children, c)
	return c
}

// fromSite drops the library frames in front of the site, and what every
// goroutine begins with.
func fromSite(stack []tracker.Frame, site tracker.Frame) []tracker.Frame {
	if last := len(stack) - 1; last > 0 && stack[last].Function == "runtime.goexit" {
		stack = stack[:last]
	}
	if i := slices.Index(stack, site); i >= 0 {
		return stack[i:]
	}
	if len(stack) == 0 && site != (tracker.Frame{}) {
		return []tracker.Frame{site}
	}
	return stack
}

func (n *Node) sort() {
	slices.SortFunc(n.Children, func(a, b *Node) int {
		return cmp.Or(cmp.Compare(a.Frame.Function, b.Frame.Function), cmp.Compare(a.Frame.File, b.Frame.File),
			cmp.Compare(a.Frame.Line, b.Frame.Line), cmp.Compare(a.ID, b.ID))
	})
	for _, c := range n.Children {
		c.sort()
	}
}

// Find returns the nodes from the root to the one of that ID, or nil.
func (n *Node) Find(id string) []*Node {
	if n.ID == id {
		return []*Node{n}
	}
	for _, c := range n.Children {
		if path := c.Find(id); path != nil {
			return append([]*Node{n}, path...)
		}
	}
	return nil
}
