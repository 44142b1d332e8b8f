package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is what a run prints.
func output(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	return stdout.String()
}

// tables are the Markdown tables in a text, cell by cell. It fails the test if
// one isn't well-formed.
func tables(t *testing.T, text string) (all [][][]string) {
	t.Helper()
	for block := range strings.SplitSeq(text, "\n\n") {
		if !strings.HasPrefix(block, "|") {
			continue
		}
		var cells [][]string
		lines := strings.Split(strings.TrimSpace(block), "\n")
		for i, line := range lines {
			row := strings.Split(strings.Trim(line, "|"), "|")
			for j, cell := range row {
				if i != 1 && j > 0 && !strings.HasSuffix(cell, " ") || utf8.RuneCountInString(cell) < 2 {
					t.Errorf("cell %q", cell)
				}
				row[j] = strings.TrimSpace(cell)
			}
			cells = append(cells, row)
			if len(row) != len(cells[0]) || utf8.RuneCountInString(line) != utf8.RuneCountInString(lines[0]) {
				t.Errorf("the table has lines of different lengths:\n%s", block)
				break
			}
		}
		if len(cells) < 3 || !regexp.MustCompile(`^-+$`).MatchString(cells[1][0]) ||
			slices.ContainsFunc(cells[1][1:], func(c string) bool { return !regexp.MustCompile(`^-+:$`).MatchString(c) }) {
			t.Errorf("not a table with numbers on the right:\n%s", block)
		}
		all = append(all, cells)
	}
	return all
}

var (
	number = `-?\d+(\.\d+)?`
	// What the cells of the parts look like, but for the first column.
	costCell   = regexp.MustCompile(`^` + number + `( \(\d+\.\d\d\)| in \d+)?$`)
	targetCell = regexp.MustCompile(`^(|met|MISSED|in doubt|` + number + `(–` + number + `)?)$`)
	ratioCell  = regexp.MustCompile(`^` + number + `( \(` + number + `–` + number + `\))?$`)
)

// A quick run, made quicker still, prints every table, whole.
func TestQuickRun(t *testing.T) {
	all := tables(t, output(t, "-quick", "-passes", "2", "-slice", "1ms", "-handles", "1000"))
	wants := []struct {
		title string
		rows  int
		cell  *regexp.Regexp
	}{
		{"ns of CPU (× bare)", 4, costCell},
		{"ns of wall time", 4, costCell},
		{"bytes in allocations", 4, costCell},
		{"target", 3 * len(operations), targetCell},
		{"CPU of dbleaks (× bare)", 3, costCell},
		{"CPU × bare: 30 callers, 8 sites, 1 goroutine", 4, costCell},
		{"CPU × bare: 30 callers, 16 sites (8 alike), 1 goroutine", 4, costCell},
		{requests[0].unit, 4, ratioCell},
		{requests[1].unit, 4, ratioCell},
		{requests[2].unit, 4, ratioCell},
		{"many open handles", 14, targetCell},
	}
	if len(all) != len(wants) {
		t.Fatalf("%d tables, want %d", len(all), len(wants))
	}
	for i, want := range wants {
		got := all[i]
		if got[0][0] != want.title || len(got)-2 != want.rows {
			t.Errorf("table %d is %q with %d rows, want %q with %d", i, got[0][0], len(got)-2, want.title, want.rows)
		}
		for _, row := range got[2:] {
			for _, cell := range row[1:] {
				if !want.cell.MatchString(cell) {
					t.Errorf("%q, row %q: cell %q", want.title, row[0], cell)
				}
			}
		}
	}
}

// All circumstances have their row, and the contenders that were asked for.
func TestLoads(t *testing.T) {
	all := tables(t, output(t, "-part", "cost", "-passes", "1", "-slice", "1us", "-contenders", "dbleaks,ngrok/sqlmw", "-ops", "Exec"))
	var titles []string
	for _, table := range all {
		titles = append(titles, table[0][0])
	}
	i := slices.Index(titles, "CPU of dbleaks (× bare)")
	if i < 0 || len(all[i])-2 != 9 {
		t.Fatalf("tables %q", titles)
	}
	for j, row := range all[i][2:] {
		if slices.ContainsFunc(all[i][2:2+j], func(other []string) bool { return other[0] == row[0] }) {
			t.Errorf("two rows %q", row[0])
		}
	}
	if rows := all[0][2:]; len(rows) != 3 || rows[0][0] != nameBare {
		t.Errorf("rows %q", rows)
	}
}

func TestArguments(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-part", "costs"}, `-part: unknown "costs"; known are cost,mariadb,scale,instructions`},
		{[]string{"-ops", "Query,Ping"}, `-ops: unknown "Ping"; known are Query,QueryRow,Exec,BeginCommit,PrepareClose,Scan`},
		{[]string{"-contenders", ""}, ""},
		{[]string{"-worker", "nobody"}, `-worker: unknown "nobody"; known are ` + strings.Join(names(contenders), ",")},
		{[]string{"-sites", "17"}, "-sites: 17 is not between 1 and 16"},
		{[]string{"-times", "10"}, ""},
	} {
		_, err := parse(tt.args, io.Discard)
		if got := text(err); got != tt.want {
			t.Errorf("%q: error %q, want %q", tt.args, got, tt.want)
		}
	}
	if _, err := parse([]string{"-help"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-help: %v", err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
