package main

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestMarkers: what is listed is marked in the source, and the reverse.
func TestMarkers(t *testing.T) {
	var bugNames, innocentNames []string
	for _, b := range bugs {
		bugNames = append(bugNames, b.name)
	}
	for _, i := range innocents {
		innocentNames = append(innocentNames, i.name)
	}
	for marker, names := range map[string][]string{"BUG": bugNames, "OK": innocentNames} {
		found, err := places(marker)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		if marked := slices.Sorted(maps.Keys(found)); !slices.Equal(marked, names) {
			t.Errorf("marked %s: %v\nlisted: %v", marker, marked, names)
		}
	}
}

// findingAt is a finding as the tracker would list it for a bug.
func findingAt(i item) tracker.Finding {
	f := tracker.Finding{ID: i.name, Kind: i.kind, State: i.state, Count: i.times}
	f.Site = tracker.Frame{File: "/src/demo/" + i.place.file, Line: i.place.line}
	if i.state == tracker.StateLeaked {
		f.Proof = tracker.ProofUnreachable
	}
	return f
}

// TestChecklist: a bug is found when all it lost has come to its verdict, and
// anything elsewhere is an error.
func TestChecklist(t *testing.T) {
	list, err := newChecklist()
	if err != nil {
		t.Fatal(err)
	}
	first := list.items[0]
	early := findingAt(first)
	early.State, early.Proof, early.Count = tracker.StateOverdue, "", 1
	if !list.update(tracker.Snapshot{Findings: []tracker.Finding{early}}) || len(list.missing()) != len(bugs) {
		t.Error("half of what the bug lost, not proven yet, should change the list and not be enough")
	}
	if list.check(false) != nil {
		t.Error("nothing is due, and nothing is wrong")
	}

	var all tracker.Snapshot
	for _, i := range list.items[1:] {
		all.Findings = append(all.Findings, findingAt(i))
	}
	list.update(all)
	if err := list.check(true); err == nil || !strings.Contains(err.Error(), first.name) {
		t.Errorf("error %v, want one that names %s, which is not found", err, first.name)
	}
	all.Findings = append(all.Findings, findingAt(first))
	if !list.update(all) || list.check(true) != nil || list.update(all) {
		t.Errorf("all found, once: %v", list.check(true))
	}

	list.updateAtExit(tracker.Report{Findings: all.Findings})
	if err := list.check(true); err != nil {
		t.Errorf("what the bugs have lost may be left at exit: %v", err)
	}
}

// TestInnocent: what is listed and no bug counts, even if it is over or comes
// at exit only.
func TestInnocent(t *testing.T) {
	list, err := newChecklist()
	if err != nil {
		t.Fatal(err)
	}
	wrongKind, wrongLine := findingAt(list.items[0]), findingAt(list.items[1])
	wrongKind.Kind = tracker.KindStmt
	wrongLine.Site.Line--
	over := tracker.Snapshot{Ended: []tracker.Ended{{Finding: wrongKind}}}
	if !list.update(over) || list.update(over) || list.check(false) == nil {
		t.Errorf("a finding that is over: %v, want an error, once", list.check(false))
	}
	list.updateAtExit(tracker.Report{Findings: []tracker.Finding{wrongLine}})
	if want := "listed: 2 of"; !strings.Contains(list.verdict(), want) {
		t.Errorf("verdict %q, want one with %q", list.verdict(), want)
	}
}

// TestScreen: a terminal's table is drawn over the one before it; elsewhere
// each line comes once.
func TestScreen(t *testing.T) {
	list, err := newChecklist()
	if err != nil {
		t.Fatal(err)
	}
	list.update(tracker.Snapshot{Findings: []tracker.Finding{findingAt(list.items[0])}})

	var out bytes.Buffer
	live := &screen{w: &out, live: true, told: make(map[string]bool)}
	live.update(list, progress{})
	lines := strings.Count(out.String(), "\n")
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if lines > 20 {
		t.Errorf("%d lines don't fit a terminal together with what else is shown", lines)
	}
	out.Reset()
	live.update(list, progress{})
	if want := "\x1b[19A\x1b[J"; lines != 19 || !strings.HasPrefix(out.String(), want) {
		t.Errorf("%d lines drawn; then %.20q, want %q", lines, out.String(), want)
	}

	out.Reset()
	plain := newScreen(&out, false)
	plain.update(list, progress{})
	plain.update(list, progress{})
	if got := strings.Count(out.String(), "\n"); got != 1 || !strings.HasPrefix(out.String(), "✓ "+bugs[0].name) {
		t.Errorf("%d lines, want that of the first bug alone:\n%s", got, &out)
	}
}
