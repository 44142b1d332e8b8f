package callstack_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

//go:noinline
func deep(n int, f func() *callstack.Stack) *callstack.Stack {
	if n == 0 {
		return f()
	}
	return deep(n-1, f)
}

func TestEqualStacksAreOne(t *testing.T) {
	var table callstack.Table
	capture := func() *callstack.Stack { return table.Capture() }
	var same []*callstack.Stack
	for range 2 {
		same = append(same, deep(3, capture))
	}
	if same[0] != same[1] {
		t.Error("the same stack was kept twice")
	}
	if other := deep(4, capture); other == same[0] {
		t.Error("another stack was taken for the first")
	}
}

// secondLine is inlined, or not: its lines are counted from its own start.
func secondLine(table *callstack.Table) *callstack.Stack {
	return table.Capture()
}

func TestFramesStartAtTheCaller(t *testing.T) {
	var table callstack.Table
	frames := secondLine(&table).Frames()
	if len(frames) == 0 || !strings.Contains(frames[0].Function, "secondLine") {
		t.Fatalf("first frame is %+v", frames)
	}
	if frames[0].Offset != 1 {
		t.Errorf("offset %d of a call on the line below its function", frames[0].Offset)
	}
	if len(deep(100, func() *callstack.Stack { return table.Capture() }).Frames()) > callstack.MaxDepth {
		t.Error("more frames than MaxDepth")
	}
}

func TestFullTableLosesNothing(t *testing.T) {
	table := callstack.Table{Limit: 2}
	for depth := range 5 {
		s := deep(depth, func() *callstack.Stack { return table.Capture() })
		if got := s.Frames(); len(got) < depth {
			t.Errorf("depth %d: %d frames", depth, len(got))
		}
	}
	if got := table.Overflow(); got != 3 {
		t.Errorf("overflow = %d, want 3", got)
	}
}

func TestConcurrentCaptures(t *testing.T) {
	var table callstack.Table
	var wg sync.WaitGroup
	stacks := make([][]*callstack.Stack, 8)
	for i := range stacks {
		wg.Go(func() {
			for range 200 {
				for depth := range 5 {
					stacks[i] = append(stacks[i], deep(depth, func() *callstack.Stack { return table.Capture() }))
				}
			}
		})
	}
	wg.Wait()
	distinct := make(map[*callstack.Stack]bool)
	for _, list := range stacks {
		for _, s := range list {
			distinct[s] = true
		}
	}
	if len(distinct) != 5 {
		t.Errorf("%d distinct stacks, want 5", len(distinct))
	}
}

func TestNewStackOfManyGoroutinesTakesOnePlace(t *testing.T) {
	if !callstack.Predicts {
		t.Skip("not on this system")
	}
	for range 200 {
		var table callstack.Table
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 8 {
			wg.Go(func() {
				<-start
				table.Capture()
			})
		}
		close(start)
		wg.Wait()
		if n := callstack.Recent(&table); n != 1 {
			t.Fatalf("it is in %d places", n)
		}
	}
}

func TestCaptureOfAKnownStackAllocatesNothing(t *testing.T) {
	var table callstack.Table
	if n := testing.AllocsPerRun(100, func() { table.Capture() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// twin and otherTwin look the same from what they call: their frames are as
// large, and they are called from one place.
//
//go:noinline
func twin(capture func() *callstack.Stack) *callstack.Stack { return capture() }

//go:noinline
func otherTwin(capture func() *callstack.Stack) *callstack.Stack { return capture() }

func TestStacksInOnePosition(t *testing.T) {
	var table callstack.Table
	capture := func() *callstack.Stack { return table.Capture() }
	stacks := make(map[string]*callstack.Stack)
	for range 3 {
		for name, f := range map[string]func(func() *callstack.Stack) *callstack.Stack{"twin": twin, "otherTwin": otherTwin} {
			s := f(capture)
			if got := s.Frames()[1].Function; !strings.HasSuffix(got, "."+name) {
				t.Errorf("called by %s, captured %s", name, got)
			}
			if known, ok := stacks[name]; ok && known != s {
				t.Errorf("%s: the same stack was kept twice", name)
			}
			stacks[name] = s
		}
	}
}

func TestKnownStackIsFoundWhereItWas(t *testing.T) {
	if !callstack.Predicts {
		t.Skip("not on this system")
	}
	var table callstack.Table
	for depth := range callstack.MaxDepth + 10 {
		var stacks []*callstack.Stack
		for range 2 {
			stacks = append(stacks, deep(depth, func() *callstack.Stack { return table.Capture() }))
			callstack.ForgetHashes(&table)
		}
		if stacks[0] != stacks[1] {
			t.Fatalf("depth %d: searched again", depth)
		}
	}
}
