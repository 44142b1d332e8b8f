package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// screen shows what is found: on a terminal as a table that is kept up to
// date, elsewhere line by line.
type screen struct {
	w      io.Writer
	live   bool // w is a terminal, and the table is being kept up to date
	colour bool
	drawn  int             // lines of the table that are on the terminal
	told   map[string]bool // what was printed: names of bugs, IDs of findings
}

// newScreen makes a screen of w. Other output to the terminal would tear the
// table apart, so there is none if any is to come.
func newScreen(w io.Writer, otherOutput bool) *screen {
	live := !otherOutput && isTerminal(w)
	return &screen{w: w, live: live, colour: live && os.Getenv("NO_COLOR") == "", told: make(map[string]bool)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// intro says what runs, that the tracker works, and where to look.
func (s *screen) intro(database, base string, test tracker.SelfTestResult) {
	fmt.Fprintf(s.w, `A web shop on %[2]s, with %[3]d leaks planted in it and %[4]d look-alikes.

  the shop       %[1]s/
  what it leaks  %[1]s/debug/dbleaks/
                 curl %[1]s/debug/dbleaks/text
                 go tool pprof -top %[1]s/debug/dbleaks/pprof
                 go run ./cmd/dbleaks report %[1]s
  self-test      %[5]s

`, base, database, len(bugs), len(innocents), selfTestWords(test))
}

// selfTestWords says how the self-test went.
func selfTestWords(r tracker.SelfTestResult) string {
	return fmt.Sprintf("passed: rows lost on purpose were seen after %v (%v)", r.Took.Round(100*time.Microsecond), r.Proof)
}

// progress is what the shop and its load have come to.
type progress struct {
	requests, failed   int
	inUse, connections int
}

// update shows what has changed.
func (s *screen) update(c *checklist, p progress) {
	var lines, news []string
	note := func(key, line string) {
		if !s.told[key] {
			s.told[key] = true
			news = append(news, line)
		}
	}
	for _, i := range c.items {
		line := s.line(i)
		lines = append(lines, line)
		if i.found() {
			note(i.name, line)
		}
	}
	for _, f := range c.notPlanted() {
		line := "! " + notPlanted(f)
		lines = append(lines, line)
		note(f.ID, line)
	}
	if s.live {
		s.redraw(append(lines, "", c.verdict(), p.String()))
		return
	}
	for _, line := range news {
		fmt.Fprintln(s.w, line)
	}
}

// sumUp says what is found and what is not, once all is or should be. What is
// found later comes line by line, below.
func (s *screen) sumUp(c *checklist, p progress, after time.Duration) {
	s.update(c, p)
	if !s.live {
		for _, i := range c.missing() {
			fmt.Fprintln(s.w, s.line(i))
		}
		fmt.Fprintf(s.w, "\n%v\n%v\n", c.verdict(), p)
	}
	s.live = false
	if missing := len(c.missing()); missing > 0 {
		fmt.Fprintf(s.w, "\n%d not found after %.1fs; still looking. Ctrl-C ends the demo.\n", missing, after.Seconds())
		return
	}
	fmt.Fprintf(s.w, "\nAll found after %.1fs. Ctrl-C ends the demo.\n", after.Seconds())
}

// line is a bug's line of the checklist. It fits a terminal of 80 columns.
func (s *screen) line(i item) string {
	mark, colour := "·", "2" // faint
	if i.found() {
		mark, colour = "✓", "32" // green
	}
	if s.colour {
		mark = "\x1b[" + colour + "m" + mark + "\x1b[0m"
	}
	return fmt.Sprintf("%s %-18s  %-4v  %-18v  %s", mark, i.name, i.kind, i.place, i.status())
}

func (p progress) String() string {
	return fmt.Sprintf("%d requests, %d failed; %d of the shop's %d connections in use",
		p.requests, p.failed, p.inUse, p.connections)
}

// redraw replaces the table on the terminal.
func (s *screen) redraw(lines []string) {
	text := strings.Join(lines, "\n") + "\n"
	up := ""
	if s.drawn > 0 {
		up = fmt.Sprintf("\x1b[%dA\x1b[J", s.drawn)
	}
	fmt.Fprint(s.w, up, text)
	s.drawn = strings.Count(text, "\n")
}
