package driverwrap_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// diffSetup is a driver and the way to open a DB with it.
type diffSetup struct {
	has   fakedriver.Set
	entry diffEntry
	// refuses is what a driver.DriverContext says to the data source.
	refuses error
}

func (s diffSetup) String() string { return fmt.Sprintf("%s, %v", s.entry, s.has) }

// diffEntry is a way to open a DB.
type diffEntry string

const (
	entryConnector diffEntry = "connector"
	entryDriver    diffEntry = "driver"
	entryTwice     diffEntry = "wrapped twice" // with something else in between
)

var diffEntries = []diffEntry{entryConnector, entryDriver, entryTwice}

// diffConnector hides that a connector is wrapped.
type diffConnector struct{ driver.Connector }

func (c diffConnector) Close() error {
	return c.Connector.(interface{ Close() error }).Close()
}

// diffDSNConnector is database/sql's own connector.
type diffDSNConnector struct {
	dsn    string
	driver driver.Driver
}

func (c diffDSNConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c diffDSNConnector) Driver() driver.Driver                        { return c.driver }

// diffOpen does what sql.Open does, for a driver that isn't registered.
func diffOpen(d driver.Driver, dsn string) (*sql.DB, error) {
	dc, ok := d.(driver.DriverContext)
	if !ok {
		return sql.OpenDB(diffDSNConnector{dsn, d}), nil
	}
	c, err := dc.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// open opens the DB of a run, wrapped if there is a tracker.
func (s diffSetup) open(f *fakedriver.Fake, tr *tracker.Tracker) (*sql.DB, error) {
	with := driverwrap.WithTracker(tr)
	switch s.entry {
	case entryDriver:
		return diffOpen(driverwrap.Wrap(f.Driver(), with), "dsn")
	case entryTwice:
		if tr != nil {
			return sql.OpenDB(driverwrap.WrapConnector(diffConnector{driverwrap.WrapConnector(f.Connector(), with)}, with)), nil
		}
	}
	return driverwrap.OpenDB(f.Connector(), with), nil
}

// trace runs calls on the bare driver, or wrapped.
func (s diffSetup) trace(t *testing.T, wrapped bool, calls func(*diffRun)) (trace []string) {
	synctest.Test(t, func(t *testing.T) {
		f := fakedriver.New(s.has, nil)
		f.Default = diffAnswer(f)
		r := &diffRun{
			t: t, fake: f, made: make(map[string]int),
			unwrap: func(c any) any { return c }, observe: func() {}, stop: func() {},
		}
		var tr *tracker.Tracker
		if wrapped {
			var err error
			if tr, err = tracker.New(); err != nil {
				t.Fatal(err)
			}
			r.unwrap = driverwrap.Unwrap
			r.observe, r.stop = func() { tr.Snapshot() }, func() { tr.Close() }
		}
		r.step("open", func() {
			f.Script(fakedriver.Rule{Method: "OpenConnector", Answer: fakedriver.Answer{Err: s.refuses}})
			db, err := s.open(f, tr)
			r.db = db
			r.logError(err)
			if db != nil {
				r.log("the driver is the bare one: %v", db.Driver() == f.Driver())
			}
		})
		if r.db != nil {
			calls(r)
			r.end()
		}
		trace = r.trace
	})
	return trace
}

// compare runs calls bare and wrapped and fails the test if anybody could
// tell.
func (s diffSetup) compare(t *testing.T, calls func(*diffRun)) {
	t.Helper()
	bare, wrapped := s.trace(t, false, calls), s.trace(t, true, calls)
	if slices.Equal(bare, wrapped) {
		return
	}
	i := 0
	for i < len(bare) && i < len(wrapped) && bare[i] == wrapped[i] {
		i++
	}
	line := func(trace []string) string {
		if i < len(trace) {
			return trace[i]
		}
		return "\t(the end)"
	}
	t.Fatalf("%v: the wrapper shows\n%s\nbare   %s\nwrapped%s", s,
		strings.Join(bare[max(0, i-diffContextLines):i], "\n"), line(bare), line(wrapped))
}

// diffParallel lets a test run in parallel, unless one difference is enough:
// -failfast doesn't stop what has begun.
func diffParallel(t *testing.T) {
	if flag.Lookup("test.failfast").Value.String() != "true" {
		t.Parallel()
	}
}

// diffContextLines is how much of a trace is shown before a difference.
const diffContextLines = 60

// diffSetups are the drivers with none, each one, all, and all but one of the
// optional interfaces, and as many with any.
func diffSetups() (setups []diffSetup) {
	conns, stmts, rows := fakedriver.ConnSets(), fakedriver.StmtSets(), fakedriver.RowsSets()
	add := func(sets ...fakedriver.Set) {
		n := len(setups)
		s := diffSetup{entry: diffEntries[n%len(diffEntries)]}
		for _, set := range sets {
			s.has |= set
		}
		for i, set := range diffOtherSets {
			if n>>i&1 != 0 {
				s.has |= set
			}
		}
		setups = append(setups, s)
	}
	for i, set := range conns {
		add(set, stmts[i%len(stmts)], rows[i%len(rows)])
	}
	for i, set := range stmts {
		add(set, rows[i%len(rows)])
		add(set, fakedriver.ConnNamedValueChecker)
	}
	for i, set := range rows {
		add(set, stmts[i%len(stmts)])
		add(set, fakedriver.OnConn)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range len(setups) {
		add(conns[rng.IntN(len(conns))], stmts[rng.IntN(len(stmts))], rows[rng.IntN(len(rows))])
	}
	return setups
}

// diffOtherSets are what has nothing to do with each other.
var diffOtherSets = []fakedriver.Set{fakedriver.DriverContext, fakedriver.ConnectorCloser, fakedriver.TxIsConn}

// TestDifferential runs random programs bare and wrapped: what the driver and
// the application see must be the same.
func TestDifferential(t *testing.T) {
	const programs, calls = 10, 40
	for i, setup := range diffSetups() {
		t.Run(setup.String(), func(t *testing.T) {
			diffParallel(t)
			rng := rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)})
			for range programs {
				p := make(diffProgram, calls*diffOpSize)
				rng.Read(p)
				setup.compare(t, func(r *diffRun) { r.run(p) })
			}
		})
	}
}

// FuzzDifferential does the same for programs that the fuzzer makes up.
func FuzzDifferential(f *testing.F) {
	diffMinimizeLess()
	conns, stmts, rows := fakedriver.ConnSets(), fakedriver.StmtSets(), fakedriver.RowsSets()
	f.Fuzz(func(t *testing.T, conn, stmt, row, other byte, program []byte) {
		setup := diffSetup{entry: diffEntries[int(other)%len(diffEntries)]}
		setup.has = conns[int(conn)%len(conns)] | stmts[int(stmt)%len(stmts)] | rows[int(row)%len(rows)]
		for i, set := range diffOtherSets {
			if other>>(i+2)&1 != 0 {
				setup.has |= set
			}
		}
		setup.compare(t, func(r *diffRun) { r.run(program) })
	})
}

// diffMinimizeLess keeps the fuzzer from trying for a minute, as it does by
// default, to leave out each byte and each run of bytes of every program that
// reaches new code. To see a failing one made shorter, set the flag.
func diffMinimizeLess() {
	const name = "test.fuzzminimizetime"
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if !given {
		flag.Set(name, "1x")
	}
}
