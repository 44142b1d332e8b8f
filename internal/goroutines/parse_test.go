package goroutines

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Forms that no program of a test makes at will.
func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       Goroutine
	}{
		{"blocked for long, locked to its thread",
			"goroutine 34 [syscall, 87 minutes, locked to thread]:\nos/signal.loop()\n\t/go/src/os/signal/signal_unix.go:23 +0x13\n",
			Goroutine{ID: 34, State: "syscall", Wait: 87 * time.Minute, Locked: true,
				Frames: []Frame{{"os/signal.loop", "", "/go/src/os/signal/signal_unix.go", 23}}}},
		{"leaked", "goroutine 5 [chan receive (nil chan) (leaked)]:\n",
			Goroutine{ID: 5, State: "chan receive (nil chan)", Leaked: true, Frames: []Frame{}}},
		{"in a bubble, while the garbage collector looks", "goroutine 5 [sleep (scan) (durable), synctest bubble 12]:\n",
			Goroutine{ID: 5, State: "sleep", Bubble: 12, Frames: []Frame{}}},
		{"with labels", "goroutine 5 [select] {route: \"/a]b, {c}\", tenant: x}:\n",
			Goroutine{ID: 5, State: "select", Labels: `route: "/a]b, {c}", tenant: x`, Frames: []Frame{}}},
		{"with GOTRACEBACK=system", "goroutine 1 gp=0xc000006000 m=0 mp=0x5a [running]:\nmain.f(...)\n\t/src/a b.go:7 fp=0xc1 sp=0xc2 pc=0x47\n",
			Goroutine{ID: 1, State: "running", Frames: []Frame{{"main.f", "...", "/src/a b.go", 7}}}},
		{"created in another", "goroutine 9 [IO wait]:\ncreated by main.(*server[...]).run.func1 in goroutine 7\n\tC:/src/main.go:12 +0x1d\n",
			Goroutine{ID: 9, State: "IO wait", Frames: []Frame{}, Creator: 7,
				CreatedBy: Frame{"main.(*server[...]).run.func1", "", "C:/src/main.go", 12}}},
		{"too deep", "goroutine 9 [running]:\nmain.f(0x1)\n\t/m.go:1 +0x1\n...23 frames elided...\nmain.main()\n\t/m.go:2 +0x2\n",
			Goroutine{ID: 9, State: "running", Elided: true, Frames: []Frame{{"main.f", "0x1", "/m.go", 1}, {"main.main", "", "/m.go", 2}}}},
		{"on a thread of its own", "goroutine 9 [running]:\n\tgoroutine running on other thread; stack unavailable\ncreated by main.main in goroutine 1\n\t/m.go:3 +0x1\n",
			Goroutine{ID: 9, State: "running", Frames: []Frame{}, Creator: 1, CreatedBy: Frame{"main.main", "", "/m.go", 3}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, unknown := parse(tt.text)
			if unknown != 0 || len(got) != 1 || !reflect.DeepEqual(got[0], tt.want) {
				t.Errorf("got  %+v, %d unknown\nwant %+v", got, unknown, tt.want)
			}
		})
	}
}

func TestParseCountsWhatItDoesNotUnderstand(t *testing.T) {
	d := Parse("goroutine 1 [running]:\n\nthread 2 <idle>\n\ngoroutine x [y]:\n\n\n\ngoroutine 3 (new form)\n\ngoroutine 4 [select]:\n")
	if len(d.Goroutines) != 2 || d.Unknown != 3 || d.Total != 5 {
		t.Errorf("%d goroutines, %d unknown of %d", len(d.Goroutines), d.Unknown, d.Total)
	}
}

func TestFind(t *testing.T) {
	d := Parse("goroutine 1 [running]:\n\ngoroutine 4 [select]:\n")
	if g := d.Find(4); g == nil || g.State != "select" {
		t.Errorf("goroutine 4: %+v", g)
	}
	if g := d.Find(2); g != nil {
		t.Errorf("goroutine 2: %+v", g)
	}
}

const waiting = "goroutine %ID [%STATE]:\n" +
	"%INNERdatabase/sql.(*DB).conn(%DB, {0x6c1f60, 0xc000016}, 0x1)\n\t/go/src/database/sql/sql.go:1369 +0x6a5\n" +
	"main.handle()\n\t/m.go:9 +0x1\n\n"

func TestWaiters(t *testing.T) {
	text := ""
	for i, w := range []struct{ state, db, inner string }{
		{"select", "0xc0000a", ""},
		{"select, 4 minutes", "0xc0000b", ""},
		{"select, 9 minutes", "0xc0000b", ""},
		{"select", "0xc0000b?", ""}, // an old value, maybe
		{"select", "...", ""},
		{"IO wait", "0xc0000a", "main.(*driver).Connect()\n\t/m.go:1 +0x1\n"}, // connects
		{"sync.Mutex.Lock", "0xc0000a", ""},
	} {
		text += strings.NewReplacer("%ID", string(rune('1'+i)), "%STATE", w.state, "%DB", w.db, "%INNER", w.inner).Replace(waiting)
	}
	type group struct {
		db  uintptr
		ids []int64
	}
	var got []group
	for _, w := range Parse(text).Waiters() {
		g := group{db: w.DB}
		for _, waiter := range w.Goroutines {
			g.ids = append(g.ids, waiter.ID)
		}
		got = append(got, g)
	}
	want := []group{{0, []int64{4, 5}}, {0xc0000b, []int64{3, 2}}, {0xc0000a, []int64{1}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// FuzzParse starts from dumps that the runtimes of two releases wrote.
func FuzzParse(f *testing.F) {
	dumps, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(dumps) < 2 {
		f.Fatalf("dumps %v, %v", dumps, err)
	}
	for _, name := range dumps {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if d := Parse(string(text)); d.Unknown > 0 || len(d.Goroutines) < 5 {
			f.Errorf("%s: %d goroutines, %d unknown", name, len(d.Goroutines), d.Unknown)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := Parse(text)
		size := 0
		for i := range d.Goroutines {
			g := &d.Goroutines[i]
			if g.Wait < 0 || d.Find(g.ID) == nil {
				t.Errorf("%+v", g)
			}
			for _, fr := range append(g.Frames, g.CreatedBy) {
				if fr.Line < 0 {
					t.Errorf("%+v", fr)
				}
				size += len(fr.Function) + len(fr.Args) + len(fr.File)
				_ = fr.Package()
			}
		}
		if size > len(text) {
			t.Errorf("%d bytes of frames in %d bytes of text", size, len(text))
		}
		for _, w := range d.Waiters() {
			if len(w.Goroutines) == 0 {
				t.Error("nobody waits")
			}
		}
	})
}
