package main

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
)

// source is the code that carries markers.
//
//go:embed bugs_*.go innocent_*.go shop.go hang.go
var source embed.FS

// place is a line of the shop's source.
type place struct {
	file string // without directories
	line int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

// places finds the lines that end in the comment "// marker: name", by name.
// A marker that is there twice is an error.
func places(marker string) (map[string]place, error) {
	comment := regexp.MustCompile(`// ` + marker + `: ([a-z-]+)$`)
	files, err := source.ReadDir(".")
	if err != nil {
		return nil, err
	}
	found := make(map[string]place)
	for _, f := range files {
		text, err := source.ReadFile(f.Name())
		if err != nil {
			return nil, err
		}
		for i, line := range strings.Split(string(text), "\n") {
			m := comment.FindStringSubmatch(strings.TrimRight(line, "\r"))
			if m == nil {
				continue
			}
			p := place{f.Name(), i + 1}
			if old, ok := found[m[1]]; ok {
				return nil, fmt.Errorf("marker %s: %s is both at %v and at %v", marker, m[1], old, p)
			}
			found[m[1]] = p
		}
	}
	return found, nil
}
