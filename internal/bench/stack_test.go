package main

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
)

// callers lists the functions on the stack outside of database/sql, innermost
// first, up to where the goroutine starts.
func callers() (functions []string) {
	pcs := make([]uintptr, 200)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	below := false
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "database/sql.") {
			below, functions = true, nil
		} else if below && f.Function != "runtime.goexit" {
			functions = append(functions, f.Function)
		}
		if !more {
			return functions
		}
	}
}

// stackOf is the stack of an operation that is measured under a load.
func stackOf(t *testing.T, l load) (stack []string) {
	t.Helper()
	db := sql.OpenDB(&nopdriver.Connector{Before: func(_ context.Context, call, _ string) error {
		if call == "query" {
			stack = callers()
		}
		return nil
	}})
	defer db.Close()
	if _, err := (dbs{db}).measure(l, 1); err != nil {
		t.Fatal(err)
	}
	return stack
}

func TestStacksAreAsDeepAsTheySay(t *testing.T) {
	for _, depth := range []int{10, mainDepth, 60} {
		stack := stackOf(t, load{Op: "Query", Depth: depth, Sites: 1})
		if len(stack) != depth || !strings.HasSuffix(stack[0], ".query") {
			t.Errorf("%d callers of database/sql, want %d:\n%s", len(stack), depth, strings.Join(stack, "\n"))
		}
	}
}

func TestStacksVary(t *testing.T) {
	distinct := make(map[string]bool)
	for _, f := range stackOf(t, mainLoad("Query")) {
		distinct[f] = true
	}
	if want := len(levels); len(distinct) < want {
		t.Errorf("%d functions on the stack, want %d or more: %v", len(distinct), want, distinct)
	}
	paths := make(map[string]bool)
	const variants = 1 << 12
	for v := range variants {
		var path string
		way := deepStack(mainDepth, uint16(v), func() { path = fmt.Sprint(pcs()) })
		way[0](way[1:])
		paths[path] = true
	}
	if len(paths) != variants {
		t.Errorf("%d stacks in %d variants", len(paths), variants)
	}
}

func pcs() []uintptr {
	all := make([]uintptr, 100)
	return all[:runtime.Callers(0, all)]
}

// Each site is another line to whoever looks at the stack, and the first
// eight lie at heights of their own.
func TestSites(t *testing.T) {
	lines, sizes := make(map[string]bool), make(map[uintptr]bool)
	for i, site := range sites {
		var here uintptr
		op := operation{run: func(*sql.DB) error {
			var local byte
			here = uintptr(unsafe.Pointer(&local))
			lines[fmt.Sprint(pcs())] = true
			return nil
		}}
		var local byte
		if err := site(op, nil); err != nil {
			t.Fatal(err)
		}
		if i < 8 {
			sizes[uintptr(unsafe.Pointer(&local))-here] = true
		}
	}
	if len(lines) != len(sites) || len(sizes) != 8 {
		t.Errorf("%d sites of %d, %d heights of 8", len(lines), len(sites), len(sizes))
	}
}
