package orm

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// program is a short program that uses a library as its documentation says.
type program struct {
	name string
	on   []*backend
	// run makes the table book and fills it, in a transaction at least in
	// part, and reads it. It gives everything back.
	run func(*app)
	// keeps tells that the library has handles of its own until its DB is
	// closed: cached statements, or a transaction around everything.
	keeps bool
	leaks []leak
}

// leak is a bug of an application that uses the library.
type leak struct {
	name string // that marks the line
	kind tracker.Kind
	// plant runs the buggy code on a table book with two rows. What it
	// returns gives back what was lost.
	plant func(*app) (release func() error)
}

var programs = slices.Concat(
	gormPrograms, sqlxPrograms, bunPrograms, entPrograms, sqlcPrograms,
	goosePrograms, xormPrograms, squirrelPrograms, txdbPrograms, sqlite3Programs, mssqlPrograms,
)

// what two books are, in SQL and in what a program is to note.
var (
	makeBooks = []string{
		"CREATE TABLE book (id INTEGER PRIMARY KEY, title VARCHAR(40) NOT NULL, pages INTEGER NOT NULL)",
		"INSERT INTO book (id, title, pages) VALUES (1, 'Emma', 474)",
		"INSERT INTO book (id, title, pages) VALUES (2, 'Ulysses', 730)",
	}
	twoBooks = []string{"1 Emma 474\n", "2 Ulysses 730\n"}
)

// A program sees the same with the bare driver and with the wrapped one, and
// the tracker, nothing to report.
func TestCleanPrograms(t *testing.T) {
	eachProgram(t, func(t *testing.T, p program, b *backend) {
		for _, watched := range []bool{false, true} {
			t.Run(fmt.Sprintf("watched=%t", watched), func(t *testing.T) {
				a := newApp(t, b, watched)
				p.run(a)
				if !slices.Equal(a.saw, twoBooks) {
					t.Errorf("the program saw %q, want %q", a.saw, twoBooks)
				}
				if watched {
					a.verify(p.keeps)
				}
			})
		}
	})
}

// A leak is one finding, whose site is the application's line and none of the
// library's. Given back, it is no leak.
func TestLeaks(t *testing.T) {
	eachProgram(t, func(t *testing.T, p program, b *backend) {
		for _, l := range p.leaks {
			t.Run(l.name, func(t *testing.T) {
				a := newApp(t, b, true, makeBooks...)
				release := l.plant(a)
				a.wantLeak(l.kind, l.name)
				a.must(release())
				a.tracker.AssertNoLeaks(t)
				a.end()
				a.tracker.AssertNoLeaks(t, tracker.IncludeDBs())
			})
		}
	})
}

func eachProgram(t *testing.T, test func(*testing.T, program, *backend)) {
	t.Helper()
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			for _, b := range p.on {
				t.Run(b.driver, func(t *testing.T) { test(t, p, b) })
			}
		})
	}
}

// halt runs f on a goroutine of its own until f calls wait. What it returns
// lets f go on, and waits for its end.
func (a *app) halt(f func(wait func()) error) (release func() error) {
	a.t.Helper()
	halted, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() { done <- f(func() { close(halted); <-goOn }) }()
	select {
	case <-halted:
	case err := <-done:
		a.t.Fatalf("ended before it came to a halt: %v", err)
	}
	return func() error { close(goOn); return <-done }
}

// rows is what all libraries' rows have.
type rows interface {
	Next() bool
	Err() error
	Close() error
}

// read calls scan for each of the rows, and closes them.
func (a *app) read(r rows, scan func() error) {
	a.t.Helper()
	for r.Next() {
		a.must(scan())
	}
	a.must(errors.Join(r.Err(), r.Close()))
}

// readBooks notes the books, and closes them.
func (a *app) readBooks(r *sql.Rows) {
	a.t.Helper()
	a.read(r, func() error {
		var b sqlxBook
		err := r.Scan(&b.ID, &b.Title, &b.Pages)
		a.note(b.ID, b.Title, b.Pages)
		return err
	})
}
