package flame

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// all lists a node and everything below it.
func all(n *Node) []*Node {
	out := []*Node{n}
	for _, c := range n.Children {
		out = append(out, all(c)...)
	}
	return out
}

// shop is the sample with an age for every handle.
func shop() tracker.Snapshot {
	s := reporttest.Snapshot()
	for _, fs := range [][]tracker.Finding{s.Findings, s.Open} {
		for i := range fs {
			fs[i].Median = fs[i].Age / 2
		}
	}
	return s
}

// wide has lines with stacks of that depth, which have the outer calls in
// common, and the inner ones not.
func wide(lines, depth, common int) (s tracker.Snapshot) {
	for i := range lines {
		var stack []tracker.Frame
		for d := range depth {
			f := tracker.Frame{Function: fmt.Sprintf("example.com/shop/deep.(*Server).call%d", d), File: "/src/deep.go", Line: d + 1}
			if d < depth-common {
				f.Function += fmt.Sprintf(".of%d", i)
			}
			stack = append(stack, f)
		}
		s.Findings = append(s.Findings, tracker.Finding{
			ID: fmt.Sprintf("%016x", i), Kind: tracker.KindRows, State: tracker.StateOverdue, Pool: "orders",
			Site: stack[0], Stack: stack, Count: 100, Median: time.Minute, Age: time.Hour,
		})
	}
	return s
}

func TestEveryHandleIsCountedOnce(t *testing.T) {
	root := New(shop())
	if root.Count != 8 || root.State != tracker.StateLeaked {
		t.Errorf("%d handles, %v", root.Count, root.State)
	}
	var ends []string
	ids := map[string]bool{}
	for _, n := range all(root) {
		if ids[n.ID] {
			t.Errorf("the id %s twice", n.ID)
		}
		ids[n.ID] = true
		if h := n.Handles; h != nil {
			ends = append(ends, fmt.Sprintf("%d×%v", n.Count, h.Finding.Kind))
			continue
		}
		var count int
		var seconds float64
		state := tracker.StateOpen
		for _, c := range n.Children {
			count, seconds, state = count+c.Count, seconds+c.Seconds, max(state, c.State)
		}
		if count != n.Count || math.Abs(seconds-n.Seconds) > 1e-9 || state != n.State {
			t.Errorf("%v has %d handles, %vs, %v; below it are %d, %vs, %v", n.Frame, n.Count, n.Seconds, n.State, count, seconds, state)
		}
		if strings.HasPrefix(n.Frame.Function, "database/sql.") || strings.HasPrefix(n.Frame.Function, "gorm.io/") {
			t.Errorf("%v is in front of the site", n.Frame)
		}
	}
	slices.Sort(ends)
	if want := []string{"1×conn", "1×row", "1×rows", "1×tx", "4×rows"}; !slices.Equal(ends, want) {
		t.Errorf("handles %q, want %q", ends, want)
	}
}

func TestPathsAreNamedAlikeInEverySnapshot(t *testing.T) {
	before := New(shop())
	s := shop()
	s.Open = append([]tracker.Finding{s.Open[2], s.Open[3]}, wide(3, 4, 0).Findings...)
	s.Findings = s.Findings[:1]
	s.Findings[0].Count, s.Findings[0].State = 99, tracker.StateOverdue
	after := New(s)
	var found int
	for _, n := range all(after) {
		path := before.Find(n.ID)
		if path == nil {
			continue
		}
		found++
		if last := path[len(path)-1]; path[0] != before || last.Frame != n.Frame {
			t.Errorf("%s was %v and is %v", n.ID, last.Frame, n.Frame)
		}
	}
	// The root and two calls of net/http; checkout, and Find with its handles;
	// Export and Count with theirs.
	if found != 10 {
		t.Errorf("found %d of the calls again", found)
	}
	if before.Find("nowhere") != nil {
		t.Error("found what isn't there")
	}
}

// checkGraph checks that boxes fill what they are below, and no more, and that
// each handle is in one box at the end of a branch.
func checkGraph(t *testing.T, path []*Node, by By, most int) []Box {
	t.Helper()
	boxes, rows := Layout(path, by, most)
	focus := path[len(path)-1]
	below := map[int]float64{} // how far each row is filled
	handles, drawn, deepest := 0, 0, 0
	for i, b := range boxes {
		deepest = max(deepest, b.Row)
		if b.Left < below[b.Row]-1e-9 || b.Left+b.Width > 1+1e-9 {
			t.Errorf("box %d reaches from %v to %v in row %d, which is filled to %v", i, b.Left, b.Left+b.Width, b.Row, below[b.Row])
		}
		below[b.Row] = b.Left + b.Width
		if b.More == 0 {
			drawn++
		}
		if !b.Above && (b.More > 0 || b.Node.Handles != nil) {
			handles += b.Count
		}
		if !b.Above && b.More == 0 && math.Abs(b.Width-by.Of(b.Node)/by.Of(focus)) > 1e-9 {
			t.Errorf("%v is %v wide, want %v of %v", b.Node.Frame, b.Width, by.Of(b.Node), by.Of(focus))
		}
		// What follows is the first of what is below it.
		if b.More == 0 && !b.Above && len(b.Node.Children) > 0 {
			if next := boxes[i+1]; next.Row != b.Row+1 || math.Abs(next.Left-b.Left) > 1e-9 {
				t.Errorf("below box %d at %v is one at %v in row %d", i, b.Left, next.Left, next.Row)
			}
		}
	}
	if handles != focus.Count || deepest+1 != rows {
		t.Errorf("%d handles of %d, %d rows of %d", handles, focus.Count, deepest+1, rows)
	}
	if drawn > most+len(path)-1 || len(boxes) > 2*most+len(path) {
		t.Errorf("%d boxes, of which %d are calls, want at most %d", len(boxes), drawn, most)
	}
	return boxes
}

func TestLayout(t *testing.T) {
	for name, s := range map[string]tracker.Snapshot{
		"shop": shop(), "deep": wide(500, 60, 5), "flat": wide(5000, 1, 0), "one": wide(1, 60, 60), "hostile": reporttest.Hostile(),
	} {
		t.Run(name, func(t *testing.T) {
			root := New(s)
			for _, most := range []int{1, 7, 200, 800} {
				checkGraph(t, []*Node{root}, ByCount, most)
				if name != "hostile" { // has no ages
					checkGraph(t, []*Node{root}, ByAge, most)
				}
			}
			nodes := all(root)
			for i := 0; i < len(nodes); i += 1 + len(nodes)/50 {
				path := root.Find(nodes[i].ID)
				boxes := checkGraph(t, path, ByCount, 50)
				for i := range len(path) - 1 {
					if b := boxes[i]; !b.Above || b.Width != 1 || b.Node != path[i] {
						t.Errorf("above %v is %+v", nodes[i].Frame, b)
					}
				}
			}
		})
	}
}

// What is too narrow is summed up; the rest is drawn.
func TestNarrowBoxesAreSummedUp(t *testing.T) {
	s := wide(2001, 2, 0)
	s.Findings[7].Count = 200_000
	boxes := checkGraph(t, []*Node{New(s)}, ByCount, 800)
	var rest []Box
	for _, b := range boxes {
		if b.More > 0 {
			rest = append(rest, b)
		}
	}
	if len(boxes) != 5 || len(rest) != 1 || rest[0].More != 2000 || rest[0].Count != 200_000 || rest[0].Width != 0.5 {
		t.Errorf("%d boxes, of which %+v", len(boxes), rest)
	}
}

func TestByAge(t *testing.T) {
	s := wide(2, 1, 0)
	s.Findings[0].Median = 3 * time.Minute
	boxes, _ := Layout([]*Node{New(s)}, ByAge, 10)
	if len(boxes) != 5 || boxes[1].Width != 0.75 || boxes[3].Width != 0.25 {
		t.Errorf("%+v", boxes)
	}
}

// Handles of which the stack is not known are below the root.
func TestWithoutStack(t *testing.T) {
	site := tracker.Frame{Function: "main.main", File: "main.go", Line: 3}
	root := New(tracker.Snapshot{Findings: []tracker.Finding{{ID: "a", Count: 2}, {ID: "b", Count: 3, Site: site}}})
	var got []string
	for _, c := range root.Children {
		got = append(got, fmt.Sprint(c.Frame.Function, " ", c.Handles != nil, " ", c.Count))
	}
	if want := []string{" true 2", "main.main false 3"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestParseBy(t *testing.T) {
	for name, want := range map[string]By{"": ByCount, "count": ByCount, "age": ByAge} {
		if by, ok := ParseBy(name); !ok || by != want {
			t.Errorf("%q: %v, %v", name, by, ok)
		}
	}
	if _, ok := ParseBy("size"); ok {
		t.Error("there is no size")
	}
}
