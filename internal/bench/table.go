package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// table is a Markdown table: its first column is text, the others are
// numbers, aligned to the right in the source too.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(row ...string) { t.rows = append(t.rows, row) }

func (t *table) write(w io.Writer) {
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell), len("-:"))
		}
	}
	writeRow(w, t.head, width)
	rule := make([]string, len(width))
	for i, n := range width {
		rule[i] = strings.Repeat("-", n-1) + ":"
	}
	rule[0] = strings.Repeat("-", width[0])
	writeRow(w, rule, width)
	for _, row := range t.rows {
		writeRow(w, row, width)
	}
	fmt.Fprintln(w)
}

func writeRow(w io.Writer, row []string, width []int) {
	for i, cell := range row {
		format := "| %*s "
		if i == 0 {
			format = "| %-*s "
		}
		fmt.Fprintf(w, format, width[i], cell)
	}
	fmt.Fprintln(w, "|")
}

// threeDigits writes a number with at least three digits that count.
func threeDigits(v float64) string {
	decimals := 0
	if v != 0 {
		decimals = max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	}
	return fmt.Sprintf("%.*f", decimals, v)
}
