package tracker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/petermattis/goid"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// foreseen are dumps of the goroutine %me that holds a transaction of the pool
// whose DB is at %db, and of others.
var foreseen = map[string]string{
	"waits":   "goroutine %me [select]:\n" + inConn + "main.run()\n\t/m.go:9 +0x1\n",
	"another": "goroutine %me [sleep]:\nmain.run()\n\t/m.go:9 +0x1\n\ngoroutine 900002 [select]:\n" + inConn,
	"behind a lock": "goroutine %me [sync.Mutex.Lock]:\nsync.(*Mutex).Lock(0xc1)\n\t/go/src/sync/mutex.go:1 +0x1\nmain.(*cache).get(0xc000aa)\n\t/m.go:9 +0x1\n\n" +
		"goroutine 900002 [select]:\n" + inConn + "main.(*cache).get(0xc000aa)\n\t/m.go:9 +0x1\n",
	"behind a group": "goroutine %me [sync.WaitGroup.Wait]:\nsync.(*WaitGroup).Wait(0xc1)\n\t/go/src/sync/waitgroup.go:1 +0x1\nmain.run()\n\t/m.go:9 +0x1\n\n" +
		"goroutine 900002 [select]:\n" + inConn + "main.run.func1()\n\t/m.go:7 +0x1\ncreated by main.run in goroutine %me\n\t/m.go:7 +0x1\n",
	"at an iterator": "goroutine %me [coroutine]:\niter.Pull[...].func2()\n\t/go/src/iter/iter.go:317 +0x1\nmain.run()\n\t/m.go:9 +0x1\n\n" +
		"goroutine 900002 [select]:\n" + inConn + "main.seq()\n\t/m.go:7 +0x1\ncreated by iter.Pull[...] in goroutine %me\n\t/go/src/iter/iter.go:271 +0x1\n",
	"behind a channel": "goroutine %me [chan receive]:\nmain.run()\n\t/m.go:9 +0x1\n\n" +
		"goroutine 900002 [select]:\n" + inConn + "main.run.func1()\n\t/m.go:7 +0x1\ncreated by main.run in goroutine %me\n\t/m.go:7 +0x1\n",
}

const inConn = "database/sql.(*DB).conn(%db, {0x6c1f60, 0xc000016}, 0x1)\n\t/go/src/database/sql/sql.go:1369 +0x6a5\n"

// holdingAll is a pool of one connection, which the caller has, and what makes a
// dump of it.
func holdingAll(t testing.TB) (tr *tracker.Tracker, dump func(string) string) {
	tr, err := tracker.New(tracker.WithKindThreshold(tracker.KindTx, time.Second)) // sweeps four times a second
	if err != nil {
		t.Fatal(err)
	}
	db := openNamed(tr, "shop")
	db.SetMaxOpenConns(1)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tx.Rollback()
		db.Close()
	})
	return tr, strings.NewReplacer("%me", fmt.Sprint(goid.Get()), "%db", fmt.Sprintf("%#x", uintptr(unsafe.Pointer(db)))).Replace
}

func TestDiagnoseText(t *testing.T) {
	tr, dump := holdingAll(t)
	for name, text := range foreseen {
		t.Run(name, func(t *testing.T) {
			d := tr.DiagnoseDump(dump(text), 0)
			if want := name != "another"; len(d.Deadlocks) == 1 != want || d.Missing > 0 || d.Pools[0].Waiting != 1 {
				t.Errorf("%+v", d)
			}
		})
	}
}

// TestDiagnoseFallsBack: of what isn't understood nothing is said but how much it
// is.
func TestDiagnoseFallsBack(t *testing.T) {
	tr, dump := holdingAll(t)
	for name, text := range map[string]string{
		"no word of it":            "the goroutines of today\n",
		"one of two":               foreseen["waits"] + "\ngoroutine 900002 (in a new form)\n",
		"all but who holds it":     "goroutine 900002 [select]:\n" + inConn + "\ngoroutine %me (in a new form)\n",
		"addresses are not told":   strings.ReplaceAll(foreseen["waits"], "%db", "..."),
		"addresses are not sure":   strings.ReplaceAll(foreseen["waits"], "%db", "%db?"),
		"the function has no name": strings.ReplaceAll(foreseen["waits"], "database/sql.(*DB).conn", "database/sql.(*DB).take"),
	} {
		t.Run(name, func(t *testing.T) {
			d := tr.DiagnoseDump(dump(text), 0)
			if len(d.Deadlocks) > 0 || len(d.Pools) != 1 {
				t.Fatalf("%+v", d)
			}
			p := d.Pools[0]
			if !p.Known || p.InUse != 1 || p.Limit != 1 || len(p.Holders) != 1 || p.Holders[0].Handles.Kind != tracker.KindTx {
				t.Errorf("what the records say is missing: %+v", p)
			}
			state := p.Holders[0].Openers[0].State
			if unknown := strings.Contains(text, "new form") || !strings.Contains(text, "["); unknown != (d.Missing > 0) {
				t.Errorf("%d goroutines are missing", d.Missing)
			}
			if told := strings.Contains(text, "goroutine %me ["); told && state != "select" || !told && state != "unknown" {
				t.Errorf("the opener is said to be in state %q", state)
			}
		})
	}
}

// TestDiagnoseOldDump: of a goroutine that may be younger than the dump it isn't
// said that it has exited.
func TestDiagnoseOldDump(t *testing.T) {
	tr, dump := holdingAll(t)
	for _, tt := range []struct {
		old  time.Duration
		text string
		want string
	}{
		{0, "goroutine 900002 [running]:\n", "exited"},
		{time.Hour, "goroutine 900002 [running]:\n", "unknown"},
		{0, foreseen["waits"], "select"},
		{time.Hour, foreseen["waits"], "unknown"},
	} {
		if o := tr.DiagnoseDump(dump(tt.text), tt.old).Pools[0].Holders[0].Openers; len(o) != 1 || o[0].State != tt.want {
			t.Errorf("%v ago: %+v, want %s", tt.old, o, tt.want)
		}
	}
}

// TestReturnedAdvice: a goroutine that serves connections has left what it opened
// when it waits for the next request.
func TestReturnedAdvice(t *testing.T) {
	serve := "net/http.(*conn).serve(0xc1)\n\t" + goRoot() + "/src/net/http/server.go:1 +0x1\n" +
		"created by net/http.(*Server).Serve in goroutine 1\n\t" + goRoot() + "/src/net/http/server.go:2 +0x1\n"
	waiter := "\ngoroutine 900002 [select]:\n" + inConn
	tr, dump := holdingAll(t)
	advice := func(stack string) []string {
		return tr.DiagnoseDump(dump("goroutine %me [IO wait]:\n"+stack+waiter), 0).Pools[0].Advice
	}
	eventually(t, "the opener has returned", func() bool { return len(advice(serve)) > 0 })
	if got := advice(serve); !contains(got[0], "see whether the transaction of diagnose_text_test.go:", "who opened it has gone on without it") {
		t.Errorf("advice %q", got)
	}
	if got := advice("main.handle()\n\t/m.go:9 +0x1\n" + serve); len(got) > 0 {
		t.Errorf("the opener is still there: %q", got)
	}
}

// FuzzDiagnose joins the records with whatever a runtime may write.
func FuzzDiagnose(f *testing.F) {
	for _, text := range foreseen {
		f.Add(text)
	}
	tr, dump := holdingAll(f)
	f.Fuzz(func(t *testing.T, text string) {
		text = dump(text)
		d := tr.DiagnoseDump(text, 0)
		waits := strings.Contains(text, "database/sql.(*DB).conn(")
		for _, l := range d.Deadlocks {
			if !waits || d.Missing > 0 || len(l.Members) == 0 || l.Reason == "" || l.Advice == "" {
				t.Errorf("%+v", d)
			}
		}
		for _, p := range d.Pools {
			if !waits && len(p.Waiters) > 0 || len(p.Holders) != 1 || p.Pool != "shop" {
				t.Errorf("%+v", p)
			}
		}
	})
}
