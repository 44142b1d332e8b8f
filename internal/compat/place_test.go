package compat

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"testing"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// A line that a report is to name ends in a comment like this one:
//
//	rows, err := db.Query(q) // place: early return
var marker = regexp.MustCompile(`^\s*[^\s/].*// place: (.+)$`)

// places finds all marked lines of this package, by name.
var places = sync.OnceValues(func() (map[string]tracker.Frame, error) {
	_, here, _, _ := runtime.Caller(0)
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		return nil, err
	}
	found := make(map[string]tracker.Frame)
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		// The compiler names files as it does this one.
		name := filepath.Join(filepath.Dir(here), file)
		lines := bufio.NewScanner(f)
		for n := 1; lines.Scan(); n++ {
			m := marker.FindStringSubmatch(lines.Text())
			if m == nil {
				continue
			}
			if at, twice := found[m[1]]; twice {
				return nil, fmt.Errorf("place %q is marked at %s:%d and at %s:%d", m[1], at.File, at.Line, name, n)
			}
			found[m[1]] = tracker.Frame{File: name, Line: n}
		}
		if err := lines.Err(); err != nil {
			return nil, err
		}
	}
	return found, nil
})

// placeOf is the line that is marked with the name.
func placeOf(t *testing.T, name string) tracker.Frame {
	t.Helper()
	all, err := places()
	if err != nil {
		t.Fatal(err)
	}
	at, ok := all[name]
	if !ok {
		t.Fatalf("no line is marked %q", name)
	}
	return at
}

// at tells whether a site is the place.
func at(site, place tracker.Frame) bool { return site.File == place.File && site.Line == place.Line }
