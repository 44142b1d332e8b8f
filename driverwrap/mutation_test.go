package driverwrap_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var mutations = flag.Bool("mutations", false, "run TestMutations, which compiles the package a hundred times")

// mutation is a deliberate defect of the wrapper.
type mutation struct {
	name     string
	file     string
	old, new string // old occurs once in the file
}

// TestMutations shows that the differential tests notice every defect in the
// tables: each is compiled into the package in turn, in place of the file
// that it is in, and the tests must then find a difference.
func TestMutations(t *testing.T) {
	if !*mutations {
		t.Skip("takes minutes; run it with -mutations")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, m := range allMutations() {
		if seen[m.name] {
			t.Errorf("two mutations are called %q", m.name)
		}
		seen[m.name] = true
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			m.run(t, dir)
		})
	}
}

func allMutations() []mutation {
	all := append(connMutations, stmtMutations...)
	return append(append(all, txMutations...), append(rowsMutations, openMutations...)...)
}

func (m mutation) run(t *testing.T, dir string) {
	overlay := m.overlay(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-overlay="+overlay, "-ldflags=-s -w", "-vet=off", "-count=1",
		"-failfast", "-timeout=2m", "-run=^(TestDifferential.*|FuzzDifferential)$", ".")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	switch text := string(out); {
	case err == nil:
		t.Error("the differential tests didn't notice")
	case strings.Contains(text, "[build failed]") || strings.Contains(text, "[setup failed]"):
		t.Errorf("doesn't compile: %s", text)
	case !strings.Contains(text, "--- FAIL: TestDifferential") || strings.Contains(text, "test timed out"):
		t.Errorf("failed otherwise: %v\n%s", err, text)
	}
}

// overlay writes the defective file, and the file that tells the go command
// to take it.
func (m mutation) overlay(t *testing.T, dir string) string {
	original := filepath.Join(dir, m.file)
	src, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(src), m.old); n != 1 {
		t.Fatalf("%s has the text %d times, want once:\n%s", m.file, n, m.old)
	}
	tmp := t.TempDir()
	mutant, overlay := filepath.Join(tmp, m.file), filepath.Join(tmp, "overlay.json")
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{original: mutant}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		mutant:  strings.Replace(string(src), m.old, m.new, 1),
		overlay: string(list),
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return overlay
}
