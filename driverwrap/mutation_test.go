package driverwrap_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

var mutations = flag.Bool("mutations", false, "run TestMutations, which runs the tests two hundred times")

// mutation is a deliberate defect of the wrapper.
type mutation struct {
	name     string
	file     string
	old, new string // old occurs once in the file
}

// TestMutations shows that the tests notice every defect in the tables. With
// each of them in the package, the differential tests must find a difference;
// where they can't, as there is no bare driver to compare with, the others
// fail.
func TestMutations(t *testing.T) {
	if !*mutations {
		t.Skip("takes half a minute; run it with -mutations")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{dir: dir, tmp: t.TempDir()}
	faults := slices.Concat(connMutations, stmtMutations, txMutations, rowsMutations, openMutations)
	all := slices.Concat(faults, ruleMutations, sessionMutations)
	binary, left := b.all(t, all)
	if out, err := runTests(t, binary, 0, "^Test|^Fuzz"); err != nil {
		t.Fatalf("without a defect: %v\n%s", err, out)
	}
	seen := make(map[string]bool)
	for i, m := range all {
		if seen[m.name] {
			t.Errorf("two mutations are called %q", m.name)
		}
		seen[m.name] = true
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			number, binary := i+1, binary
			if left[number] {
				binary = b.one(t, number, m)
			}
			tests := "TestDifferential"
			if i >= len(faults) {
				tests = "Test[^D]" // not the differential ones
			}
			out, err := runTests(t, binary, number, "^"+tests)
			switch {
			case err == nil:
				t.Error("the tests didn't notice")
			case !strings.Contains(out, "--- FAIL: Test") || strings.Contains(out, "test timed out"):
				t.Errorf("failed otherwise: %v\n%s", err, out)
			}
		})
	}
}

// runTests runs tests with a defect until one fails.
func runTests(t *testing.T, binary string, mutant int, tests string) (out string, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-test.failfast", "-test.timeout=2m", "-test.run="+tests)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", mutantVariable, mutant))
	text, err := cmd.CombinedOutput()
	return string(text), err
}
