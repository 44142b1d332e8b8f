package compat

import (
	"database/sql"
	"io"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// The tests of proofs by the goroutine-leak profile run in real time: in a
// bubble the profile is blind.

func needLeakProfile(t *testing.T) *pprof.Profile {
	t.Helper()
	p := pprof.Lookup("goroutineleak")
	if p == nil {
		t.Skip("this Go has no goroutine-leak profile: it takes Go 1.27, or GOEXPERIMENT=goroutineleakprofile")
	}
	return p
}

// free arranges for what may be stuck for ever to be freed when the program is
// over, without keeping it until then. The runtime throws at who wakes a
// goroutine that it has called leaked; another profile takes that back, as it
// is no longer true.
func free[T any](a *app, stuck *T, how func(*T)) {
	w, profile := weak.Make(stuck), needLeakProfile(a.t)
	a.leftovers = append(a.leftovers, func() error {
		stuck := w.Value()
		if stuck == nil {
			return nil
		}
		err := profile.WriteTo(io.Discard, 1)
		how(stuck)
		return err
	})
}

// gate is what goroutines wait at for ever.
type gate struct{ open chan struct{} }

//go:noinline
func shut(a *app) *gate {
	g := &gate{make(chan struct{})}
	free(a, g, func(g *gate) { close(g.open) })
	return g
}

// proven asks for proofs until something is leaked, and returns all that is.
func (a *app) proven() []tracker.Finding {
	a.t.Helper()
	eventually(a.t, "a proof", func() bool {
		if !a.tracker.Prove() {
			a.t.Fatal("can't prove anything")
		}
		return len(a.leaked()) > 0
	})
	return a.leaked()
}

func (a *app) leaked() []tracker.Finding {
	return slices.DeleteFunc(a.tracker.Snapshot().Findings, func(f tracker.Finding) bool { return f.State != tracker.StateLeaked })
}

// stuckLeak is a bug whose proof is that nobody who can run reaches the handle.
type stuckLeak struct {
	name  string
	kind  tracker.Kind
	plant func(*app)
	// where is part of the reason.
	where string
	// on are the backends where it is provable; nil means all.
	on []*backend
}

// Each is proven, at its line, as one finding, while what else the program
// holds is not; and so say an assertion and the exit report.
func TestProvenByLeakProfile(t *testing.T) {
	needLeakProfile(t)
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, l := range stuckLeaks {
			if l.on != nil && !slices.Contains(l.on, b) {
				continue
			}
			t.Run(l.name, func(t *testing.T) { l.test(newApp(t, b)) })
		}
	})
}

func (l stuckLeak) test(a *app) {
	a.t.Helper()
	tx, err := a.db.Begin()
	a.must(err)
	l.plant(a)
	found := a.proven()
	a.tracker.Prove()
	if again := a.leaked(); len(found) != 1 || len(again) != 1 {
		a.t.Fatalf("first\n%sthen\n%s", describe(found), describe(again))
	}
	l.check(a, found[0])
	if r := a.tracker.Close(); !slices.ContainsFunc(r.Findings, func(f tracker.Finding) bool { return l.is(a, f) }) {
		a.t.Errorf("exit report:\n%s", r)
	}
	a.must(tx.Rollback())
}

func (l stuckLeak) is(a *app, f tracker.Finding) bool {
	a.t.Helper()
	return at(f.Site, placeOf(a.t, l.name)) && f.Kind == l.kind && f.State == tracker.StateLeaked &&
		f.Proof == tracker.ProofGoroutineLeak
}

func (l stuckLeak) check(a *app, f tracker.Finding) {
	a.t.Helper()
	if !l.is(a, f) || f.Count != 1 || !strings.Contains(f.Reason, l.where) || (l.where == "") != strings.HasPrefix(f.Reason, "dropped") {
		a.t.Errorf("want one %v of the line marked %q, %q in the reason; got\n%s", l.kind, l.name, l.where, f)
	}
	var test fakeTB
	a.tracker.AssertNoLeaks(&test, tracker.Grace(0), tracker.IncludeDBs())
	if want := l.kind.String() + " LEAKED (goroutine leak)"; !strings.Contains(test.log, want) {
		a.t.Errorf("the assertion doesn't say %q:\n%s", want, test.log)
	}
}

// What is lost, but has something that runs lead to it, is beyond this proof.
// The documentation says so.
func TestBeyondProof(t *testing.T) {
	needLeakProfile(t)
	onEach(t, backends, func(t *testing.T, b *backend) {
		for _, l := range beyondProof {
			if l.on != nil && !slices.Contains(l.on, b) {
				continue
			}
			t.Run(l.name, func(t *testing.T) {
				a := newApp(t, b)
				a.must(l.run(a))
				asked := 0
				a.prove(func() bool { asked++; return asked == 5 })
			})
		}
	})
}

var beyondProof = []lookalike{
	// Some drivers wait for a context in a goroutine of their own, or remember
	// the latest.
	{name: "rows whose driver knows their context", on: []*backend{mysqlBackend, pgxBackend}, run: func(a *app) error {
		rows, err := a.db.QueryContext(withLostCancel(), "SELECT id FROM item")
		free(a, rows, closeRows)
		return err
	}},
	{name: "a transaction whose driver knows its context", on: []*backend{pgxBackend, pqBackend}, run: func(a *app) error {
		tx, err := a.db.BeginTx(withLostCancel(), nil)
		free(a, tx, end)
		return err
	}},
	// database/sql lists the rows of a statement, and the rows know their
	// transaction.
	{name: "a transaction with rows of a statement", run: func(a *app) error {
		tx, err := a.db.Begin()
		if err != nil {
			return err
		}
		free(a, tx, end)
		stmt, err := tx.Prepare("SELECT id FROM item")
		if err != nil {
			return err
		}
		_, err = stmt.Query()
		return err
	}},
	// Its goroutine wakes up from time to time.
	{name: "a DB that closes old connections", run: func(a *app) error {
		db, err := driverwrap.Open(a.driver, a.source, driverwrap.WithTracker(a.tracker))
		if err != nil {
			return err
		}
		free(a, db, func(db *sql.DB) { a.must(db.Close()) })
		db.SetConnMaxLifetime(time.Hour)
		return db.Ping()
	}},
	// The pool has all its connections.
	{name: "a conn", run: func(a *app) error {
		_, err := a.db.Conn(a.ctx)
		return err
	}},
}
