package compat

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/tracker"
)

var update = flag.Bool("update", false, "write tracker/SHAPES.md instead of comparing it")

// The document of the shapes is made of the rows that the tests run.
func TestShapesDocument(t *testing.T) {
	file := filepath.Join("..", "..", "tracker", "SHAPES.md")
	want := shapesDocument()
	if *update {
		if err := os.WriteFile(file, want, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the tests know; write it by\n\tgo test -run TestShapesDocument -update", file)
	}
}

const shapesIntro = `# Shapes

How programs lose the handles of database/sql, what dbleaks says of each, and when; then what only looks like it, of which it says nothing.
This is the table of its own tests: they run every row on MariaDB (go-sql-driver/mysql), PostgreSQL (pgx and lib/pq) and SQLite (modernc.org/sqlite), and hold dbleaks to every cell. There are %d leaks and %d look-alikes.

A line that leaks is one finding, however often it does, and names that line.
*Known* is the earliest moment, while the program runs:

- **next garbage collection**: nothing refers to the rows any more. It takes a sweep, a collection and another sweep: some 15 s with the default thresholds.
- **leak profile**: no goroutine that can still run leads to the handle. It takes Go 1.27, or 1.26 built with ` + "`GOEXPERIMENT=goroutineleakprofile`" + `. The tracker asks when something is overdue, ` + "`(*Tracker).Prove`" + ` at once. Where there is no profile, the handle is *overdue* at the moment that is given second.
- **threshold**: no activity for 30 s, unless you set another.
- **end of its context**: the context that it was opened and used with has been over for a second; at the next sweep, so within some 10 s.
- **exhausted pool**: nothing is overdue yet, but others wait and no connection comes back: some seconds. The pool is reported, with the lines that hold its connections.
- **a few calls**: more and more of one line are open and none is closed.
- **end of the scope**: the scope's end also gives back what a context can.
- **assertion**, **exit**: nothing is said before, as one of it may live as long as the process. An assertion and the report at exit also name every other leak of this table that is still open.
`

const lookalikesIntro = `
## Look-alikes

None of these is ever overdue or leaked: not while it lasts, not after a garbage collection or a look at the leak profile, and not after every threshold has passed.
*Listed* is how it shows among what is open, where the test looks while it lasts.
`

const keptIntro = `
### Kept by who comes back to it

Rows and transactions that no goroutine is running with, but that are given back in time, are not proven to be leaked, however often the proofs are asked for. They are held
`

func shapesDocument() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, shapesIntro, len(allLeaks()), len(allLookalikes()))
	b.WriteString("\n## Leaks\n")
	for _, g := range leakGroups {
		fmt.Fprintf(&b, "\n### %s\n\n| shape | what the code does | kind | verdict | known |\n|---|---|---|---|---|\n", g.title)
		for _, l := range g.leaks {
			fmt.Fprintf(&b, "| %s | %s%s | %s | %s | %s |\n", l.name, l.shows, onlyOn(l.on), l.kind, l.verdict(), l.knownText())
		}
	}
	b.WriteString(lookalikesIntro)
	for _, g := range lookalikeGroups {
		fmt.Fprintf(&b, "\n### %s\n\n| shape | what the code does | listed |\n|---|---|---|\n", g.title)
		for _, l := range g.lookalikes {
			fmt.Fprintf(&b, "| %s | %s%s | %s |\n", l.name, l.shows, onlyOn(l.on), l.listed)
		}
	}
	var kept []string
	for _, k := range keepers {
		kept = append(kept, k.name)
	}
	fmt.Fprintf(&b, "%s%s.\n", keptIntro, strings.Join(kept, "; "))
	return b.Bytes()
}

// onlyOn names the drivers that a shape is for, if it isn't for all.
func onlyOn(on []*backend) string {
	if on == nil {
		return ""
	}
	return " (" + names(on) + ")"
}

func names(on []*backend) string {
	var all []string
	for _, b := range on {
		all = append(all, b.name)
	}
	return strings.Join(all, ", ")
}

func (l leak) verdict() string {
	proof := tracker.ProofGoroutineLeak
	switch {
	case l.known == atNextGC:
		proof = tracker.ProofUnreachable
	case l.known == atAssert:
		proof = tracker.ProofAtAssert
	case l.known == atExit:
		proof = tracker.ProofAtExit
	case l.proven == nil:
		return tracker.StateOverdue.String()
	}
	return fmt.Sprintf("%v: %s", tracker.StateLeaked, proof)
}

func (l leak) knownText() string {
	switch {
	case l.exhausts:
		return fmt.Sprintf("exhausted pool, %s", l.known)
	case l.proven == nil:
		return string(l.known)
	}
	where, whose := "", ""
	if len(l.proven) < len(backends) {
		where = onlyOn(l.proven)
	}
	if l.conn != "" {
		whose = " of its Conn"
	}
	return fmt.Sprintf("leak profile%s, else %s%s", where, l.known, whose)
}
