package main

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// What is measured of dbleaks must be a recorder at work: in the middle of
// each operation, a snapshot shows its handle, from the line that opened it
// to the goroutine's start.
func TestDbleaksRecordsWhileItIsMeasured(t *testing.T) {
	for _, tt := range []struct {
		op   string
		call string // of the driver, in which to look
		kind tracker.Kind
		from string // what opened the handle
	}{
		{"Query", "next", tracker.KindRows, "query"},
		{"QueryRow", "next", tracker.KindRow, "queryRow"},
		{"Exec", "exec", tracker.KindConn, "execute"},
		{"BeginCommit", "commit", tracker.KindTx, "beginCommit"},
		{"PrepareClose", "prepare", tracker.KindConn, "prepareClose"},
		{"Scan", "next", tracker.KindRows, "scan"},
	} {
		for _, parallel := range []bool{false, true} {
			l := load{Op: tt.op, Depth: mainDepth, Sites: len(sites), Parallel: parallel}
			t.Run(tt.op+", "+l.String(), func(t *testing.T) {
				found := look(t, l, tt.call)
				handles := 0
				for _, f := range found {
					if f.Kind == tt.kind {
						handles++
					} else if !parallel { // else the other goroutine is elsewhere in it
						t.Errorf("a snapshot shows %v, want %v", f.Kind, tt.kind)
					}
					if !strings.HasSuffix(f.Site.Function, "."+tt.from) {
						t.Errorf("a handle was opened by %s, want %s", f.Site.Function, tt.from)
					}
					// database/sql's method, the callers, the goroutine's start.
					if n := len(f.Stack); n != 1+mainDepth+1 || f.Stack[n-1].Function != "runtime.goexit" {
						t.Fatalf("a stack of %d frames: %v", n, f.Stack)
					}
				}
				if handles == 0 {
					t.Error("no handle is open")
				}
			})
		}
	}
}

// look measures dbleaks under the load and returns what the first snapshots
// show in that call of the driver.
func look(t *testing.T, l load, call string) (found []tracker.Finding) {
	t.Helper()
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	looks := make(chan []tracker.Finding, 20)
	db := driverwrap.OpenDB(&nopdriver.Connector{Before: func(_ context.Context, name, _ string) error {
		if name == call && len(looks) < cap(looks) {
			var open []tracker.Finding
			for _, f := range tr.Snapshot().Open {
				if f.Kind != tracker.KindDB {
					open = append(open, f)
				}
			}
			select {
			case looks <- open:
			default:
			}
		}
		return nil
	}}, driverwrap.WithTracker(tr))
	if _, err := (dbs{db}).measure(l, len(sites)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if r := tr.Close(); !r.Empty() {
		t.Errorf("left behind:\n%s", r)
	}
	close(looks)
	for open := range looks {
		found = append(found, open...)
	}
	return found
}

// Recording allocates nothing of its own: only the object for each handle, which
// any wrapper has, and not even that for what is no Rows, where it is used again.
func TestAllocationsAreThoseOfTheBareDriver(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates too")
	}
	count := func(name string, op operation) float64 {
		db := open(t, find(contenders, name))
		return testing.AllocsPerRun(1000, func() {
			if err := op.run(db); err != nil {
				t.Error(err)
			}
			runtime.Gosched() // lets the goroutine of a transaction end, to be used again
		})
	}
	for _, op := range operations {
		off := count(nameBare, op)
		want := off
		if op.name == "Query" || op.name == "Scan" {
			want = count(namePassThrough, op)
		}
		for _, tt := range []struct {
			name string
			want float64
		}{{nameDbleaks, want}, {nameOff, off}} {
			if got := count(tt.name, op); got != tt.want {
				t.Errorf("%s of %s: %v allocations, want %v", op.name, tt.name, got, tt.want)
			}
		}
	}
}
