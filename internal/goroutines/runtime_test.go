package goroutines

import (
	"context"
	"database/sql"
	"flag"
	"io"
	"iter"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/petermattis/goid"

	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
)

// These tests hold what the runtime of this Go really writes.

var write = flag.Bool("write", false, "write the dump of this Go to testdata")

// situation puts goroutines into the states that matter here, and returns
// their ids by name. They leave at the end of the test.
func situation(t *testing.T) (ids map[string]int64, db *sql.DB) {
	t.Helper()
	db = sql.OpenDB(&nopdriver.Connector{})
	db.SetMaxOpenConns(1)
	held, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	var mu sync.Mutex
	mu.Lock()
	server, client := net.Pipe()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running, started sync.WaitGroup
	ids = make(map[string]int64)
	var guard sync.Mutex
	start := func(name string, f func()) {
		started.Add(1)
		running.Go(func() {
			guard.Lock()
			ids[name] = goid.Get()
			guard.Unlock()
			started.Done()
			f()
		})
	}
	start("receives", func() { <-end })
	start("selects", func() {
		select {
		case <-end:
		case <-time.After(time.Hour):
		}
	})
	start("locks", func() { mu.Lock() })
	start("waits for the network", func() { _, _ = listener.Accept() })
	start("reads", func() { _, _ = server.Read(make([]byte, 1)) })
	start("waits for a connection", func() { waitForConn(db) })
	start("takes from an iterator", func() {
		next, stop := iter.Pull(func(yield func(int) bool) { <-end })
		defer stop()
		next()
	})
	start("is an iterator's reader", func() {
		next, stop := iter.Pull(func(yield func(int) bool) { yield(1) })
		defer stop()
		next()
		<-end
	})
	start("is locked to its thread", func() {
		runtime.LockOSThread()
		<-end
	})
	started.Wait()
	t.Cleanup(func() {
		close(end)
		mu.Unlock()
		for _, c := range []io.Closer{listener, server, client, held, db} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		running.Wait()
	})
	return ids, db
}

func waitForConn(db *sql.DB) { _, _ = db.Exec("insert") }

// settled takes dumps until the goroutines do what they are to do.
func settled(t *testing.T, what string, holds func(*Dump) bool) *Dump {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		d := Take()
		if holds(d) {
			return d
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s:\n%+v", what, d.Goroutines)
		}
	}
}

func TestTheRuntimesText(t *testing.T) {
	ids, db := situation(t)
	want := map[string]string{
		"receives":                "chan receive",
		"selects":                 "select",
		"locks":                   "sync.Mutex.Lock",
		"waits for the network":   "IO wait",
		"reads":                   "select",
		"waits for a connection":  "select",
		"takes from an iterator":  "coroutine",
		"is an iterator's reader": "chan receive",
		"is locked to its thread": "chan receive",
	}
	d := settled(t, "everybody is where they should be", func(d *Dump) bool {
		for name, state := range want {
			if g := d.Find(ids[name]); g == nil || g.State != state {
				return false
			}
		}
		return true
	})
	if d.Unknown > 0 || d.Cut || d.Total < len(d.Goroutines) || d.Took <= 0 {
		t.Errorf("unknown %d, cut %v, total %d of %d, took %v", d.Unknown, d.Cut, len(d.Goroutines), d.Total, d.Took)
	}
	me := d.Goroutines[0]
	if me.ID != goid.Get() || me.State != "running" || me.Frames[0].Function != "github.com/dbleaks-go/dbleaks/internal/goroutines.stacks" {
		t.Errorf("I am %+v", me)
	}
	if g := d.Find(ids["takes from an iterator"]); g.Frames[0].Package() != "iter" || strings.HasSuffix(g.Frames[0].Function, ".func1.1") {
		t.Errorf("who takes from an iterator is in %+v", g.Frames)
	}
	i := slices.IndexFunc(d.Goroutines, func(g Goroutine) bool { return g.Creator == ids["is an iterator's reader"] })
	if i < 0 || d.Goroutines[i].State != "coroutine" || d.Goroutines[i].CreatedBy.Package() != "iter" ||
		!strings.HasSuffix(d.Goroutines[i].Frames[0].Function, ".func1.1") || d.Goroutines[i].Frames[0].Package() != "iter" {
		t.Errorf("no iterator has yielded to its reader: %+v", d.Goroutines)
	}
	if g := d.Find(ids["is locked to its thread"]); !g.Locked {
		t.Errorf("%+v", g)
	}
	g := d.Find(ids["waits for a connection"])
	if g.Creator != goid.Get() || g.CreatedBy.Function != "sync.(*WaitGroup).Go" || g.CreatedBy.Line == 0 {
		t.Errorf("created by %+v in %d", g.CreatedBy, g.Creator)
	}
	i = slices.IndexFunc(g.Frames, func(f Frame) bool { return strings.HasSuffix(f.Function, "goroutines.waitForConn") })
	if i < 0 || filepath.Base(g.Frames[i].File) != "runtime_test.go" || g.Frames[i].Line == 0 || !strings.HasSuffix(g.Frames[i].Package(), "internal/goroutines") {
		t.Errorf("frames %+v", g.Frames)
	}
	w := d.Waiters()
	if len(w) != 1 || w[0].DB != uintptr(unsafe.Pointer(db)) || len(w[0].Goroutines) != 1 || w[0].Goroutines[0].ID != g.ID {
		t.Errorf("waiters %+v of %p", w, db)
	}
	if *write {
		writeDump(t)
	}
}

func TestTheRuntimesTextOfBubbles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		go func() { <-end }()
		synctest.Wait()
		d := Take()
		me := d.Goroutines[0]
		if me.Bubble == 0 {
			t.Errorf("I am %+v", me)
		}
		if !slices.ContainsFunc(d.Goroutines, func(g Goroutine) bool {
			return g.Bubble == me.Bubble && g.State == "chan receive" && g.Creator == me.ID
		}) {
			t.Errorf("goroutines %+v", d.Goroutines)
		}
		close(end)
	})
}

// TestTheRuntimesTextOfLeaks leaves a goroutine for as long as the test binary
// runs: nothing can end it.
func TestTheRuntimesTextOfLeaks(t *testing.T) {
	profile := pprof.Lookup("goroutineleak")
	if profile == nil {
		t.Skip("this Go has no goroutine-leak profile: it takes Go 1.27, or GOEXPERIMENT=goroutineleakprofile")
	}
	go leakForEver()
	settled(t, "a leaked goroutine is marked", func(d *Dump) bool {
		if err := profile.WriteTo(io.Discard, 1); err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(d.Goroutines, func(g Goroutine) bool {
			return g.Leaked && g.State == "chan receive" && strings.HasSuffix(g.Frames[0].Function, ".leakForEver")
		})
	})
}

func leakForEver() { <-make(chan int) }

func TestCut(t *testing.T) {
	situation(t)
	d := take(2 << 10)
	if !d.Cut || len(d.Goroutines) == 0 || d.Total <= len(d.Goroutines) {
		t.Errorf("cut %v, %d of %d", d.Cut, len(d.Goroutines), d.Total)
	}
}

// writeDump adds a dump to what FuzzParse starts from, without this machine's
// paths.
func writeDump(t *testing.T) {
	text, _ := stacks(runtime.NumGoroutine(), maxText)
	for pattern, with := range map[string]string{
		`/[^ \n]*/src/`:                 "/go/src/",
		`/[^ \n]*/internal/goroutines/`: "/src/dbleaks/internal/goroutines/",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, with)
	}
	if err := os.WriteFile(filepath.Join("testdata", runtime.Version()+".txt"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
