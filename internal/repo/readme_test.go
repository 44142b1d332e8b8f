package repo

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// TestReadmeCompiles finds each snippet of the README, line by line, in one
// of the examples, which the compiler has seen.
func TestReadmeCompiles(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllStringSubmatch(string(readme), -1)
	if len(blocks) == 0 {
		t.Fatal("no Go snippet found")
	}
	examples := exampleFiles(t)
	for _, b := range blocks {
		snippet := trimmedLines(b[1])
		if !slices.ContainsFunc(examples, func(lines []string) bool { return containsRun(lines, snippet) }) {
			t.Errorf("no example has this snippet of the README:\n%s", b[1])
		}
	}
}

func exampleFiles(t *testing.T) (files [][]string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "example_test.go" {
			return err
		}
		text, err := os.ReadFile(path)
		files = append(files, trimmedLines(string(text)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func trimmedLines(text string) (lines []string) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

func containsRun(lines, run []string) bool {
	for i := range len(lines) - len(run) + 1 {
		if slices.Equal(lines[i:i+len(run)], run) {
			return true
		}
	}
	return false
}
