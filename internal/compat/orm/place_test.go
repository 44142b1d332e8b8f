package orm

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// A line that a finding is to name ends in a comment like this one:
//
//	rows, err := db.Query(q) // leak: early return
var marker = regexp.MustCompile(`^\s*[^\s/].*// leak: (.+)$`)

// placeOf is the line that is marked with the name, in one of the tests.
func placeOf(t *testing.T, name string) tracker.Frame {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var found []tracker.Frame
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if m := marker.FindStringSubmatch(line); m != nil && m[1] == name {
				// The compiler names files as it does this one.
				found = append(found, tracker.Frame{File: filepath.Join(filepath.Dir(here), file), Line: i + 1})
			}
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d lines are marked %q, want one", len(found), name)
	}
	return found[0]
}
