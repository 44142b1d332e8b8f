package report_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
)

// checkText fails if a terminal would do more with the text than draw it.
func checkText(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("not UTF-8: %q", text)
	}
	for i, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%U at byte %d of %q", r, i, text)
			return
		}
	}
}

func TestTextIsHarmless(t *testing.T) {
	hostile := suffixed(t, reporttest.Evil)
	checkText(t, hostile)
	if got, want := strings.Count(hostile, "\n"), strings.Count(suffixed(t, "x"), "\n"); got != want {
		t.Errorf("%d lines, want %d: a text must not make lines of its own", got, want)
	}
}

func suffixed(t *testing.T, text string) string {
	t.Helper()
	d := build(reporttest.Suffixed(text))
	d.Process.Program += text
	d.Process.Revision += text
	var b bytes.Buffer
	if err := report.WriteText(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWriteTextError(t *testing.T) {
	w := brokenWriter{errors.New("disk full")}
	if err := report.WriteText(w, build(reporttest.Quiet())); !errors.Is(err, w.error) {
		t.Errorf("error %v, want %v", err, w.error)
	}
}

type brokenWriter struct{ error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.error }

func TestClean(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"shop.(*Store).Find", "shop.(*Store).Find"},
		{"größe 数 𝄞", "größe 数 𝄞"},
		{"a\nb\tc\r\n", "a b c  "},
		{"\x1b[31mred\x07", `\x1b[31mred\x07`},
		{"\u009b31m", `\u009b31m`},
		{"\u202egpj.exe", `\u202egpj.exe`},
		{"\U000e0041", `\U000e0041`},
		{"a\xffb\ufffd", `a\xffb` + "\ufffd"},
		{"\x00\x7f\u2028", `\x00\x7f\u2028`},
	}
	for _, tt := range tests {
		if got := report.Clean(tt.in); got != tt.want {
			t.Errorf("Clean(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add(reporttest.Evil)
	f.Fuzz(func(t *testing.T, s string) {
		got := report.Clean(s)
		checkText(t, got)
		if strings.ContainsRune(got, '\n') {
			t.Errorf("a line end in %q", got)
		}
		if again := report.Clean(got); again != got {
			t.Errorf("cleaning %q again gives %q", got, again)
		}
	})
}

func TestSeconds(t *testing.T) {
	for s, want := range map[float64]time.Duration{
		-1: 0, 0: 0, 0.001: time.Millisecond, 125.204: 125204 * time.Millisecond,
		1e300: math.MaxInt64, math.Inf(1): math.MaxInt64, math.Inf(-1): 0,
	} {
		if got := report.Seconds(s); got != want {
			t.Errorf("Seconds(%v) = %v, want %v", s, got, want)
		}
	}
	if got := report.Seconds(math.NaN()); got != 0 {
		t.Errorf("Seconds(NaN) = %v", got)
	}
}

func TestShortFrame(t *testing.T) {
	tests := []struct {
		frame report.Frame
		want  string
	}{
		{report.Frame{}, ""},
		{report.Frame{Function: "main.main"}, "main.main"},
		{report.Frame{Function: "example.com/a/b.(*T).M", File: "/x/y/b.go", Line: 7}, "b.(*T).M b.go:7"},
		{report.Frame{Function: "a/b.F[go.shape.struct { c/d.E }]", File: `C:\x\b.go`, Line: 1}, "b.F[go.shape.struct { c/d.E }] b.go:1"},
	}
	for _, tt := range tests {
		if got := tt.frame.Short(); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.frame, got, tt.want)
		}
	}
}

func TestHandles(t *testing.T) {
	for want, got := range map[string]string{
		"1 × rows": report.Handles(1, "rows"),
		"2 × tx":   report.Handles(2, "tx"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
