// Package source reads lines of source files, for people who look at a program
// on the machine where it was built.
package source

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/words"
)

// Line is a line of a file.
type Line struct {
	Number int
	Text   string
}

const (
	maxFile = 4 << 20 // a larger one isn't read
	maxLine = 400     // bytes that are shown of a line
)

// Read returns the line of the file with as many as around before and behind
// it, and when the file was last changed. There are no lines if the file can't
// be read, is no regular file of a sane size, or ends before the line. A path
// that isn't absolute, as -trimpath leaves them, names no file; nor does one that
// isn't of Go source: a dependency's //line directive may name any file.
func Read(file string, line, around int) (out []Line, changed time.Time) {
	if line < 1 || !filepath.IsAbs(file) || filepath.Ext(file) != ".go" {
		return nil, time.Time{}
	}
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, time.Time{}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, time.Time{}
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxFile)
	for n := 1; n <= line+around && s.Scan(); n++ {
		if n >= line-around {
			out = append(out, Line{n, cut(s.Text())})
		}
	}
	if len(out) == 0 || out[len(out)-1].Number < line {
		return nil, time.Time{}
	}
	return out, info.ModTime()
}

// cut makes a line fit to show: tabs are four columns, and what is too long
// ends in an ellipsis.
func cut(text string) string {
	text = strings.ReplaceAll(strings.TrimRight(text, " \t\r"), "\t", "    ")
	return words.Cut(text, maxLine)
}
