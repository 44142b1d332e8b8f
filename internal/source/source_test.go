package source_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/source"
)

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.go")
	text := "package a\n\n\tfunc a() {\r\n\t\tb()  \n}\n" + strings.Repeat("é", 300) + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	written := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	if err := os.Chtimes(file, written, written); err != nil {
		t.Fatal(err)
	}
	one, two, three := source.Line{Number: 1, Text: "package a"}, source.Line{Number: 2}, source.Line{Number: 3, Text: "    func a() {"}
	four, five := source.Line{Number: 4, Text: "        b()"}, source.Line{Number: 5, Text: "}"}
	long := source.Line{Number: 6, Text: strings.Repeat("é", 200) + "…"}
	tests := []struct {
		name         string
		file         string
		line, around int
		want         []source.Line
	}{
		{"within", file, 3, 1, []source.Line{two, three, four}},
		{"alone", file, 4, 0, []source.Line{four}},
		{"first", file, 1, 2, []source.Line{one, two, three}},
		{"last, which is long", file, 6, 2, []source.Line{four, five, long}},
		{"behind the end", file, 7, 2, nil},
		{"no line", file, 0, 2, nil},
		{"no file", file + "x", 1, 2, nil},
		{"folder", filepath.Dir(file), 1, 2, nil},
		{"device", os.DevNull, 1, 2, nil},
		{"no Go", "/etc/passwd", 1, 2, nil},
		{"relative", "source_test.go", 1, 2, nil},
		{"empty", "", 1, 2, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, changed := source.Read(tt.file, tt.line, tt.around)
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if tt.want == nil != changed.IsZero() || !changed.IsZero() && !changed.Equal(written) {
				t.Errorf("changed at %v, want %v", changed, written)
			}
		})
	}
}

func TestReadLeavesLargeFilesAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.go")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 4<<20+1); err != nil {
		t.Fatal(err)
	}
	if got, _ := source.Read(file, 1, 0); got != nil {
		t.Errorf("got %d lines of a file that is too large", len(got))
	}
}
