package callstack_test

import (
	"regexp"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

func patterns(list ...string) *callstack.Patterns {
	p := &callstack.Patterns{}
	for _, s := range list {
		p.List = append(p.List, regexp.MustCompile(s))
	}
	return p
}

func TestLastPatternCounts(t *testing.T) {
	var table callstack.Table
	at := secondLine(&table).Locate(&callstack.Libraries{})
	for _, tt := range []struct {
		patterns []string
		want     int
	}{
		{nil, -1},
		{[]string{"elsewhere"}, -1},
		{[]string{`secondLine`}, 0},
		{[]string{`elsewhere`, `secondLine`}, 1},
		{[]string{`secondLine`, `/internal/callstack_test\.`, `elsewhere`}, 1},
		{[]string{`^github\.com/dbleaks-go/dbleaks/internal/callstack_test\.secondLine \S*callstack_test\.go:\d+$`}, 0},
	} {
		p := patterns(tt.patterns...)
		for range 2 { // found, then known
			if got := at.Last(p); got != tt.want {
				t.Errorf("%q: %d, want %d", tt.patterns, got, tt.want)
			}
		}
	}
}

func TestKnownMatchAllocatesNothing(t *testing.T) {
	table := callstack.Table{Limit: 1}
	libraries, p := &callstack.Libraries{}, patterns("secondLine")
	for depth := range 2 { // the second stack is past the table's limit
		s := deep(depth, func() *callstack.Stack { return secondLine(&table) })
		if want := depth == 0; s.Shared != want {
			t.Errorf("depth %d: shared is %v, want %v", depth, s.Shared, want)
		}
		if n := testing.AllocsPerRun(100, func() { s.Locate(libraries).Last(p) }); n != 0 {
			t.Errorf("depth %d: %v allocations", depth, n)
		}
		if s.Locate(libraries).Last(p) != 0 {
			t.Errorf("depth %d: no match", depth)
		}
	}
}
