package reach

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"
)

func needProfile(t testing.TB) {
	t.Helper()
	if !Available() {
		t.Skip("this Go has no goroutine-leak profile: it takes Go 1.27, or GOEXPERIMENT=goroutineleakprofile")
	}
}

// object is what is asked about.
type object struct {
	name string
	Point
}

func ask(t testing.TB, objects ...weak.Pointer[object]) []bool {
	t.Helper()
	stranded, ok := Stranded(objects, func(w weak.Pointer[object]) *Point {
		if o := w.Value(); o != nil {
			return &o.Point
		}
		return nil
	})
	if !ok {
		t.Fatal("nothing was asked")
	}
	return stranded
}

var global *object

// exit lets a goroutine end that is stuck for ever. Tests refer to it weakly.
type exit struct{ way chan struct{} }

// stick keeps the object in a goroutine that is stuck for ever.
//
//go:noinline
func stick(o *object) weak.Pointer[exit] {
	e := &exit{make(chan struct{})}
	go func() {
		<-e.way
		runtime.KeepAlive(o)
		runtime.KeepAlive(e)
	}()
	return weak.Make(e)
}

// free frees a goroutine that may have been called leaked.
func free(w weak.Pointer[exit]) {
	e := w.Value()
	_ = pprof.Lookup(profileName).WriteTo(io.Discard, 1)
	close(e.way)
}

func TestStranded(t *testing.T) {
	needProfile(t)
	live, wake := make(chan *object), make(chan struct{})
	for _, tt := range []struct {
		name string
		// keep keeps the object, and returns how to let go of it.
		keep func(o *object) (letGo func())
		want bool
	}{
		{"by a goroutine that is stuck for ever", func(o *object) func() {
			e := stick(o)
			return func() { free(e) }
		}, true},
		{"by two that would wake each other", func(o *object) func() {
			a, b := make(chan struct{}), make(chan struct{})
			e := &exit{make(chan struct{})}
			for _, ch := range [][2]chan struct{}{{a, b}, {b, a}} {
				go func() {
					select {
					case <-ch[0]:
						close(ch[1])
					case <-e.way:
					}
					runtime.KeepAlive(o)
					runtime.KeepAlive(e)
				}()
			}
			w := weak.Make(e)
			return func() { free(w) }
		}, true},
		{"by a global", func(o *object) func() { global = o; return func() { global = nil } }, false},
		{"by a timer", func(o *object) func() {
			timer := time.AfterFunc(time.Hour, func() { runtime.KeepAlive(o) })
			return func() { timer.Stop() }
		}, false},
		{"by a goroutine that waits for what a global has", func(o *object) func() {
			go func() {
				<-wake
				runtime.KeepAlive(o)
			}()
			return func() { close(wake) }
		}, false},
		{"by a goroutine that waits for one that waits for time", func(o *object) func() {
			ch, stop := make(chan struct{}), make(chan struct{})
			go func() {
				select {
				case <-time.After(time.Hour):
				case <-stop:
				}
				close(ch)
			}()
			go func() {
				<-ch
				runtime.KeepAlive(o)
			}()
			return func() { close(stop) }
		}, false},
		{"in a channel that a global has", func(o *object) func() {
			go func() { live <- o }()
			return func() { <-live }
		}, false},
		{"by what a finalizer is to see", func(o *object) func() {
			type owner struct{ o *object }
			done := make(chan struct{})
			runtime.SetFinalizer(&owner{o}, func(*owner) { close(done) })
			return func() {
				runtime.GC()
				<-done
			}
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, letGo := func() (weak.Pointer[object], func()) {
				o := &object{name: tt.name}
				return weak.Make(o), tt.keep(o)
			}()
			stranded := false
			for range 20 { // a goroutine may not have gone to sleep yet
				if stranded = ask(t, w)[0]; stranded {
					break
				}
			}
			if stranded != tt.want {
				t.Errorf("stranded: %v, want %v", stranded, tt.want)
			}
			letGo()
		})
	}
	runtime.KeepAlive(wake)
	runtime.KeepAlive(live)
}

// TestStrandedAmongMany: each answer is about its own object.
func TestStrandedAmongMany(t *testing.T) {
	needProfile(t)
	var objects []weak.Pointer[object]
	var kept []*object
	var stuck []weak.Pointer[exit]
	for i := range 300 {
		o := new(object)
		objects = append(objects, weak.Make(o))
		switch i % 3 {
		case 0:
			kept = append(kept, o)
		case 1:
			stuck = append(stuck, stick(o))
		} // and every third is garbage
	}
	right := func() bool {
		for i, s := range ask(t, objects...) {
			if i%3 != 1 && s {
				t.Fatalf("object %d is kept, or gone, but not stranded", i)
			}
			if i%3 == 1 && !s {
				return false
			}
		}
		return true
	}
	for deadline := time.Now().Add(10 * time.Second); !right(); {
		if time.Now().After(deadline) {
			t.Fatal("not all of the stranded objects were found")
		}
	}
	runtime.KeepAlive(kept)
	for _, e := range stuck {
		free(e)
	}
}

// TestOthersAsk: other readers of the profile mark the waiting goroutines as
// leaked, too, at any time. Waking one of these would end the process.
func TestOthersAsk(t *testing.T) {
	needProfile(t)
	stop := make(chan struct{})
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = pprof.Lookup(profileName).WriteTo(io.Discard, 1)
				}
			}
		})
	}
	e := stick(new(object))
	for range 50 {
		// Kept while it is asked about, dropped before that is over.
		o := new(object)
		w := weak.Make(o)
		ask(t, w)
	}
	close(stop)
	others.Wait()
	free(e)
}

func TestNothingIsLeft(t *testing.T) {
	needProfile(t)
	e := stick(new(object))
	before := runtime.NumGoroutine()
	o := new(object)
	ask(t, weak.Make(o), weak.Make(new(object)))
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	runtime.KeepAlive(o)
	free(e)
}

func TestNotInABubble(t *testing.T) {
	if Bubbled() {
		t.Error("a test is not a bubble")
	}
	synctest.Test(t, func(t *testing.T) {
		if !Bubbled() {
			t.Error("this is a bubble")
		}
		if _, ok := Stranded([]int{0}, func(int) *Point { return new(Point) }); ok {
			t.Error("asked in a bubble")
		}
	})
}

// TestWakingTheLeaked holds what end relies on: that the runtime throws is why
// it asks a second time. When it no longer throws, end can be simpler.
func TestWakingTheLeaked(t *testing.T) {
	needProfile(t)
	if os.Getenv("REACH_WAKE") != "" {
		e := stick(new(object))
		for range 10 {
			runtime.Gosched()
		}
		_ = pprof.Lookup(profileName).WriteTo(io.Discard, 1)
		close(e.Value().way)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWakingTheLeaked$")
	cmd.Env = append(os.Environ(), "REACH_WAKE=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "bad g->status in ready") {
		t.Errorf("the runtime bears the waking of a leaked goroutine: %v\n%s", err, out)
	}
}

func BenchmarkStranded(b *testing.B) {
	needProfile(b)
	for _, n := range []int{1, 1000} {
		b.Run(map[int]string{1: "one", 1000: "thousand"}[n], func(b *testing.B) {
			objects := make([]*object, n)
			weakly := make([]weak.Pointer[object], n)
			for i := range objects {
				objects[i] = new(object)
				weakly[i] = weak.Make(objects[i])
			}
			for b.Loop() {
				ask(b, weakly...)
			}
			runtime.KeepAlive(objects)
		})
	}
}
