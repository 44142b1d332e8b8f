package tracker

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
	"github.com/dbleaks-go/dbleaks/internal/record"
)

// TB is what an assertion needs of a *testing.T or *testing.B. If it has a
// Helper method, that is called too.
type TB interface {
	Errorf(format string, args ...any)
}

// DefaultGrace is how long an assertion waits for handles that are just being
// given back.
const DefaultGrace = 500 * time.Millisecond

// AssertOption changes what an assertion accepts.
type AssertOption func(*assertion) error

type assertion struct {
	grace   time.Duration
	dbs     bool
	sites   []*regexp.Regexp
	current map[record.ID]bool
}

// Grace sets how long an assertion waits, in all, for handles to be given
// back. The default is [DefaultGrace]; 0 looks once.
func Grace(d time.Duration) AssertOption {
	return func(a *assertion) error {
		if d < 0 {
			return fmt.Errorf("tracker: Grace(%v): a grace period can't be negative", d)
		}
		a.grace = d
		return nil
	}
}

// IncludeDBs makes an assertion fail for every *sql.DB that is not closed.
func IncludeDBs() AssertOption {
	return func(a *assertion) error { a.dbs = true; return nil }
}

// IgnoreDBs undoes IncludeDBs, which [VerifyTestMain] starts from.
func IgnoreDBs() AssertOption {
	return func(a *assertion) error { a.dbs = false; return nil }
}

// IgnoreSite makes an assertion accept handles whose site, written as
// "import/path.Function /path/file.go:42", matches the regular expression.
func IgnoreSite(pattern string) AssertOption {
	return func(a *assertion) error {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return fmt.Errorf("tracker: IgnoreSite(%q): %w", pattern, err)
		}
		a.sites = append(a.sites, re)
		return nil
	}
}

// IgnoreCurrent makes an assertion accept what is open in the default tracker
// now, when IgnoreCurrent is called.
func IgnoreCurrent() AssertOption { return Default().IgnoreCurrent() }

// IgnoreCurrent makes an assertion on t accept what is open now, when
// IgnoreCurrent is called.
func (t *Tracker) IgnoreCurrent() AssertOption {
	current := make(map[record.ID]bool)
	for _, p := range t.reg.Pools() {
		current[record.PoolID(p)] = true
		views, _ := p.Look(record.Policy{}, false)
		for _, v := range views {
			current[v.ID] = true
		}
	}
	return func(a *assertion) error {
		if a.current == nil {
			a.current = make(map[record.ID]bool)
		}
		for id := range current {
			a.current[id] = true
		}
		return nil
	}
}

// AssertNoLeaks fails the test if a handle of the default tracker is open;
// see [(*Tracker).AssertNoLeaks]. Use it as
//
//	defer tracker.AssertNoLeaks(t)
func AssertNoLeaks(tb TB, opts ...AssertOption) {
	if h, ok := tb.(interface{ Helper() }); ok {
		h.Helper()
	}
	Default().AssertNoLeaks(tb, opts...)
}

// AssertNoLeaks fails the test, by tb.Errorf, if a connection, transaction,
// rows or statement is open, or a connection in the pool is dirty
// ([SessionChecks]). It asks for proofs ([(*Tracker).Prove]) and waits
// for up to the grace period for handles that are just being given back. Idle connections
// are no leak; neither is a DB, unless [IncludeDBs] is given, nor a handle
// opened with [LongLived].
//
// Libraries that cache prepared statements (gorm's PrepareStmt, squirrel's
// StmtCache) keep them until the cache or the DB is closed: assert after that,
// or start from [IgnoreCurrent] where tests share them.
//
// The tracker can't tell whose handle it is: where tests run in parallel and
// share a tracker, give each its own.
func (t *Tracker) AssertNoLeaks(tb TB, opts ...AssertOption) {
	if h, ok := tb.(interface{ Helper() }); ok {
		h.Helper()
	}
	a := assertion{grace: DefaultGrace}
	if err := a.apply(opts); err != nil {
		tb.Errorf("%v", err)
		return
	}
	if r := t.verify(&a); !r.Empty() {
		tb.Errorf("%s", r)
	}
}

func (a *assertion) apply(opts []AssertOption) error {
	var errs []error
	for i, o := range opts {
		if o == nil {
			errs = append(errs, fmt.Errorf("tracker: assert option %d is nil", i+1))
			continue
		}
		errs = append(errs, o(a))
	}
	return errors.Join(errs...)
}

// verify looks until everything was given back, what is left is proven, or
// the grace period is over.
func (t *Tracker) verify(a *assertion) Report {
	start := time.Now()
	pause := time.Millisecond
	for first := true; ; first = false {
		// The first look hands the rows over to the garbage collector's
		// judgement, also those inside a handle that is accepted.
		if r := t.look(a); r.Empty() && !t.inUse() {
			return r
		}
		runtime.GC()
		r := t.look(a)
		over := time.Since(start) >= a.grace
		if !r.proven() && (first || over) && t.Prove() {
			r = t.look(a)
		}
		if over || r.proven() {
			return r
		}
		time.Sleep(min(pause, a.grace))
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// inUse reports whether any connection is in use.
func (t *Tracker) inUse() bool {
	for _, p := range t.reg.Pools() {
		if _, n := p.Look(record.Policy{}, false); n.InUse > 0 {
			return true
		}
	}
	return false
}

func (t *Tracker) look(a *assertion) Report {
	return t.leftovers(ProofAtAssert, a.dbs, func(id record.ID) bool { return a.current[id] }).without(a)
}

// without is the report without what the assertion accepts.
func (r Report) without(a *assertion) Report {
	kept := r.Findings[:0]
	for _, f := range r.Findings {
		if !a.ignores(f.Site) {
			kept = append(kept, f)
		}
	}
	r.Findings = kept
	return r
}

func (a *assertion) ignores(site Frame) bool {
	text := callstack.Frame{Function: site.Function, File: site.File, Line: site.Line}.Text()
	for _, re := range a.sites {
		if re.MatchString(text) {
			return true
		}
	}
	return false
}

// proven reports whether waiting can't change anything.
func (r Report) proven() bool {
	for _, f := range r.Findings {
		if surety(f.Proof) == 0 {
			return false
		}
	}
	return true
}

// VerifyTestMain runs the tests of a package and makes them fail if the
// default tracker still has an open handle afterwards, a *sql.DB that was
// never closed included (but see [IgnoreDBs]). It doesn't return. Use it as
//
//	func TestMain(m *testing.M) { tracker.VerifyTestMain(m) }
func VerifyTestMain(m interface{ Run() int }, opts ...AssertOption) {
	a := assertion{grace: DefaultGrace, dbs: true}
	if err := a.apply(opts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	code := m.Run()
	if r := Default().verify(&a); !r.Empty() {
		for i := range r.Findings {
			if r.Findings[i].Proof == ProofAtAssert {
				r.Findings[i].Proof = ProofAtExit
			}
		}
		fmt.Fprint(os.Stderr, r)
		code = max(code, 1)
	}
	os.Exit(code)
}
