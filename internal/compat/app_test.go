package compat

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// app is a small program with a database, which a test watches. It has a
// tracker and a pool of its own.
type app struct {
	*backend
	t       *testing.T
	ctx     context.Context // ends with the program
	source  string
	db      *sql.DB
	more    []*sql.DB // beside db
	tracker *tracker.Tracker
	events  *eventLog
	conns   *connKeeper
	// tasks are the program's goroutines, leftovers what it forgot that
	// would outlive the test.
	tasks     sync.WaitGroup
	leftovers []func() error
	// stayed and listed are how often time was to pass, and how reports
	// showed what was open.
	stayed int
	listed []listing
}

// newApp starts the program, for as long as the test runs.
func newApp(t *testing.T, b *backend, opts ...tracker.Option) *app {
	t.Helper()
	a := &app{backend: b, t: t, source: b.dsn(t), events: new(eventLog), conns: new(connKeeper)}
	var err error
	if a.tracker, err = tracker.New(append(opts, tracker.WithObserver(a.events))...); err != nil {
		t.Fatal(err)
	}
	if a.conns.Connector, err = b.connector(a.source); err != nil {
		t.Fatal(err)
	}
	a.db = driverwrap.OpenDB(a.conns, driverwrap.WithTracker(a.tracker), driverwrap.WithName("shop"))
	var cancel context.CancelFunc
	a.ctx, cancel = context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		a.shutDown()
	})
	return a
}

// shutDown releases what the program leaked, since nothing in it can.
func (a *app) shutDown() {
	a.tasks.Wait()
	for _, release := range a.leftovers {
		if err := release(); err != nil {
			a.t.Error(err)
		}
	}
	// The program's context has ended, and with it its transactions; but
	// that is database/sql's doing, in goroutines of its own.
	eventually(a.t, "transactions end with their context", func() bool {
		return a.open(tracker.KindTx) == 0
	})
	// And it still looks at a connection that it puts back, which must not be
	// closed meanwhile.
	busy := func() bool {
		n := a.db.Stats().InUse
		for _, db := range a.more {
			n += db.Stats().InUse
		}
		return n > a.open(tracker.KindConn)+a.open(tracker.KindRows)+a.open(tracker.KindRow)
	}
	began := time.Now() // stands still in a bubble
	for i := 0; busy() && (i < 10_000 || !inBubble() && time.Since(began) < 5*time.Second); i++ {
		runtime.Gosched()
	}
	if err := a.db.Close(); err != nil {
		a.t.Error(err)
	}
	a.conns.closeAll()
}

// verify is how a test ends whose program gave everything back: it closes the
// DB, and the tracker must know of nothing that is left.
func (a *app) verify() {
	a.t.Helper()
	a.tasks.Wait()
	a.wantQuiet()
	if err := a.db.Close(); err != nil {
		a.t.Error(err)
	}
	a.tracker.AssertNoLeaks(a.t, tracker.IncludeDBs(), grace)
	if pools := a.tracker.Snapshot().Pools; len(pools) > 0 {
		a.t.Errorf("pools are left after the DB was closed: %+v", pools)
	}
	if r := a.tracker.Close(); !r.Empty() {
		a.t.Errorf("exit report:\n%s", r)
	}
}

// grace is for the rollbacks that database/sql does in goroutines of its own,
// on a slow machine.
var grace = tracker.Grace(time.Minute)

// wantQuiet checks the pool of a program at rest: no connection is in use, and
// those that are idle are those of database/sql.
func (a *app) wantQuiet() {
	a.t.Helper()
	a.tracker.AssertNoLeaks(a.t, grace)
	// The pool may still be closing a connection, or opening one for a
	// waiter that is gone.
	eventually(a.t, "the tracker and database/sql count the same connections, none in use", func() bool {
		p, s := a.pool(), a.db.Stats()
		return p.InUse == 0 && s.InUse == 0 && p.Idle == s.Idle
	})
}

// pool is what the tracker says of the program's DB.
func (a *app) pool() tracker.Pool {
	for _, p := range a.tracker.Snapshot().Pools {
		if p.Name == "shop" {
			return p
		}
	}
	return tracker.Pool{}
}

// open counts the open handles of a kind.
func (a *app) open(k tracker.Kind) int { return a.pool().Open[k] }

// spawn runs a goroutine of the program.
func (a *app) spawn(task func() error) {
	a.tasks.Go(func() {
		if err := task(); err != nil {
			a.t.Error(err)
		}
	})
}

// must stops the test at an error.
func (a *app) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// connKeeper is the driver's connector. It knows the connections, so that the
// test can close those that the program lost: they, and goroutines that
// drivers run for them, would be there for as long as the test binary. Those
// that nobody has any more it doesn't keep.
type connKeeper struct {
	driver.Connector
	// connecting, if set, is called before each new connection.
	connecting func()

	mu    sync.Mutex
	conns []weakConn
}

// weakConn is a weak pointer to what a driver's connection points to.
type weakConn struct {
	weak.Pointer[byte]
	typ reflect.Type
}

// conn is the connection, or nil if nobody has it any more.
func (c weakConn) conn() driver.Conn {
	p := c.Value()
	if p == nil {
		return nil
	}
	return reflect.NewAt(c.typ.Elem(), unsafe.Pointer(p)).Interface().(driver.Conn)
}

func (k *connKeeper) Connect(ctx context.Context) (driver.Conn, error) {
	if k.connecting != nil {
		k.connecting()
	}
	c, err := k.Connector.Connect(ctx)
	if err == nil {
		v := reflect.ValueOf(c)
		k.mu.Lock()
		k.conns = append(k.conns, weakConn{weak.Make((*byte)(v.UnsafePointer())), v.Type()})
		k.mu.Unlock()
	}
	return c, err
}

// closeAll closes the connections. Most are closed already: errors tell
// nothing.
func (k *connKeeper) closeAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.conns {
		if conn := c.conn(); conn != nil {
			_ = conn.Close()
		}
	}
}

// eventLog is an observer that keeps everything it is told.
type eventLog struct {
	mu     sync.Mutex
	events []tracker.Event
}

// Observe keeps an event.
func (l *eventLog) Observe(e tracker.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *eventLog) all() []tracker.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]tracker.Event(nil), l.events...)
}

// kinds are the kinds of the events, in order.
func (l *eventLog) kinds() []tracker.EventKind {
	var kinds []tracker.EventKind
	for _, e := range l.all() {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// eventually polls a condition. In a bubble the time between two looks passes
// at once, elsewhere it is short. It is out of step with the tracker's sweeps:
// a condition that collects garbage while a sweep asks for what was collected
// keeps it alive, as the runtime must then take it for wanted.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	if !poll(cond) {
		t.Fatalf("not within %v: %s", patience(), what)
	}
}

func poll(cond func() bool) bool {
	pause := 25 * time.Millisecond
	if inBubble() {
		pause = 7 * time.Second
	}
	for deadline := time.Now().Add(patience()); !cond(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

func patience() time.Duration {
	if inBubble() {
		return time.Hour
	}
	return time.Minute
}

// inBubble tells whether the caller is in a bubble of testing/synctest, where
// it is the year 2000.
func inBubble() bool { return time.Now().Year() < 2010 }
