package compat

import (
	"errors"
	"slices"
	"testing"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// The shapes in which programs lose handles, and those that only look like it,
// are two tables. The tests run every row on real databases and hold what
// dbleaks says against it; tracker/SHAPES.md is made of the same rows.

// leak is a bug that is planted in a program. Its report is to name the line
// that is marked with its name.
type leak struct {
	name  string
	shows string // what the code does
	kind  tracker.Kind
	known moment
	// proven are the backends where the goroutine-leak profile proves it.
	proven []*backend
	// where is part of the reason that a proof comes with: what the goroutine
	// waits for that has the handle. It is empty if none has.
	where string
	// plant runs the buggy code once. It returns errPlanted where the bug is
	// in how an error is handled.
	plant func(*app) error
	// handles are what is lost each time, if it isn't one.
	handles int
	// once is set where the bug can't strike again in the same program.
	once bool
	// locks is set where a goroutine waits for a lock: then no time passes in
	// a bubble.
	locks bool
	// exhausts is set where the pool is exhausted long before the threshold.
	exhausts bool
	// conn is the marked line of the Conn that holds the handle, and that is
	// to blame unless there is a proof.
	conn string
	// on are the backends that it is for; nil means all.
	on []*backend
}

// moment is when a leak is known at the latest, without the goroutine-leak
// profile.
type moment string

const (
	atNextGC     moment = "next garbage collection"
	atThreshold  moment = "threshold"
	atContextEnd moment = "end of its context"
	afterCalls   moment = "a few calls" // it grows
	atScopeEnd   moment = "end of the scope"
	atAssert     moment = "assertion"
	atExit       moment = "exit"
)

var errPlanted = errors.New("planted")

// leakGroups are the leaks in the order of the document.
var leakGroups = []struct {
	title string
	leaks []leak
}{
	{"Rows that nobody can close", rowsLeaks},
	{"Rows that got out of sight", rowsValueLeaks},
	{"Rows that somebody holds", rowsHeldLeaks},
	{"Transactions that nobody ends", txLeaks},
	{"Transactions that somebody holds", txHeldLeaks},
	{"Connections", connLeaks},
	{"Statements", stmtLeaks},
	{"DBs", dbLeaks},
	{"Left open by a scope", scopeLeaks},
}

func allLeaks() (all []leak) {
	for _, g := range leakGroups {
		all = append(all, g.leaks...)
	}
	return all
}

func (l leak) isOn(b *backend) bool { return l.on == nil || slices.Contains(l.on, b) }

func (l leak) provenOn(b *backend) bool { return slices.Contains(l.proven, b) }

// lookalike is code that looks as if it leaked and doesn't.
type lookalike struct {
	name  string
	shows string // what the code does
	// listed is how reports show it while it lasts, if the test looks.
	listed listing
	run    func(*app) error
	// on are the backends that it is for; nil means all.
	on []*backend
	// waits is set where it waits for a database or a lock while time is to
	// pass, which it doesn't in a bubble.
	waits bool
}

// listing is how reports show a handle that is no cause for alarm.
type listing string

const (
	asOpen    listing = "open"
	asBusy    listing = "in a driver call"
	asPurpose listing = "long-lived, with the reason"
	asIdle    listing = "idle connections"
)

// lookalikeGroups are the look-alikes in the order of the document.
var lookalikeGroups = []struct {
	title      string
	lookalikes []lookalike
}{
	{"Rows", slices.Concat(rowsLookalikes, rowsOddLookalikes)},
	{"Transactions", slices.Concat(txLookalikes, txOddLookalikes)},
	{"Connections", connLookalikes},
	{"Statements", stmtLookalikes},
	{"DBs", dbLookalikes},
	{"Busy, or held on purpose", busyLookalikes},
}

func allLookalikes() (all []lookalike) {
	for _, g := range lookalikeGroups {
		all = append(all, g.lookalikes...)
	}
	return all
}

func (l lookalike) isOn(b *backend) bool { return l.on == nil || slices.Contains(l.on, b) }

// The rows are well-formed, and there are as many as the document promises.
func TestShapes(t *testing.T) {
	names := make(map[string]bool)
	row := func(name, shows string, ok bool) {
		if names[name] || name == "" || shows == "" || !ok {
			t.Errorf("row %q is not complete, or there are two", name)
		}
		names[name] = true
	}
	for _, l := range allLeaks() {
		row(l.name, l.shows, l.plant != nil && l.known != "")
		placeOf(t, l.name)
	}
	if len(names) < 60 {
		t.Errorf("%d leaks, want 60", len(names))
	}
	leaks := len(names)
	for _, l := range allLookalikes() {
		row(l.name, l.shows, l.run != nil)
	}
	if n := len(names) - leaks; n < 40 {
		t.Errorf("%d look-alikes, want 40", n)
	}
}
