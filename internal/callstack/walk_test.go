package callstack_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

var captures = flag.Int("captures", 20_000, "how many stacks to compare at random")

// table is large enough for all stacks that the tests make.
var table = callstack.Table{Limit: 1 << 20}

// compare reports how the frames of its caller differ between the table and
// runtime.Callers. The table has fewer where the stack is deep.
func compare() error {
	captured, called := callstack.Both(&table)
	if len(captured) < 2 || len(captured) > len(called) || !slices.Equal(captured, called[:len(captured)]) ||
		len(captured) < len(called) && len(called) < callstack.MaxDepth/2 {
		return fmt.Errorf("captured:\n%s\nruntime.Callers:\n%s", lines(captured), lines(called))
	}
	return nil
}

func lines(frames []callstack.Frame) string {
	var b strings.Builder
	for _, f := range frames {
		fmt.Fprintf(&b, "  %s %s:%d\n", f.Function, f.File, f.Line)
	}
	return b.String()
}

type body func() error

func inlined(f body) error { return f() }

//go:noinline
func called(f body) error { return f() }

func closure(f body) error {
	err := fmt.Errorf("not run")
	func() { err = f() }()
	return err
}

func deferred(f body) (err error) {
	defer func() { err = f() }()
	return nil
}

func deferredWithArguments(f body) (err error) {
	defer run(f, &err)
	return nil
}

func run(f body, err *error) { *err = f() }

func panicking(f body) (err error) {
	defer func() {
		recover()
		err = f()
	}()
	panic("shape")
}

func insidePanic(f body) (err error) {
	defer func() { recover() }()
	defer func() { err = f() }() // runs while panicking
	panic("shape")
}

func runtimePanic(f body) (err error) {
	defer func() {
		if recover() != nil {
			err = f()
		}
	}()
	var p *callstack.Frame
	return fmt.Errorf("%d", p.Line)
}

type receiver struct{ f body }

func (r receiver) run() error { return r.f() }

type runner interface{ run() error }

// embedding promotes run through a wrapper that the compiler makes.
type embedding struct{ *receiver }

func methodValue(f body) error {
	m := receiver{f}.run
	return m()
}

func promoted(f body) error { return runner(embedding{&receiver{f}}).run() }

func generic(f body) error { return with[body](f, func(f body) error { return f() }) }

//go:noinline
func with[T any](v T, f func(T) error) error { return f(v) }

func reflected(f body) error {
	err, _ := reflect.ValueOf(f).Call(nil)[0].Interface().(error)
	return err
}

func madeFunc(f body) error {
	v := reflect.MakeFunc(reflect.TypeFor[func() error](), func([]reflect.Value) []reflect.Value {
		err := f()
		return []reflect.Value{reflect.ValueOf(&err).Elem()}
	})
	return v.Interface().(func() error)()
}

func iterated(f body) (err error) {
	for range func(yield func(int) bool) { yield(1) } {
		err = f()
	}
	return err
}

func sorted(f body) (err error) {
	slices.SortFunc([]int{2, 1}, func(a, b int) int { err = f(); return a - b })
	return err
}

func onAnotherGoroutine(f body) (err error) {
	var wg sync.WaitGroup
	wg.Go(func() { err = f() })
	wg.Wait()
	return err
}

func goWithArguments(f body) (err error) {
	done := make(chan error)
	go func(f body, done chan<- error) { done <- f() }(f, done)
	return <-done
}

func grown(f body) error { return grow(f, 200) }

// grow needs more stack than a goroutine starts with: it is copied, and moves.
//
//go:noinline
func grow(f body, n int) error {
	var space [512]byte
	if n == 0 {
		return f()
	}
	err := grow(f, n-1)
	space[n%len(space)] = byte(n)
	runtime.KeepAlive(&space)
	return err
}

var shapes = []func(body) error{
	inlined, called, closure, deferred, deferredWithArguments, panicking, insidePanic, runtimePanic,
	methodValue, promoted, generic, reflected, madeFunc, iterated, sorted, onAnotherGoroutine, goWithArguments, grown,
}

func TestWalkIsWhatRuntimeCallersGives(t *testing.T) {
	for _, shape := range shapes {
		name := runtime.FuncForPC(reflect.ValueOf(shape).Pointer()).Name()
		t.Run(name[strings.LastIndexByte(name, '.')+1:], func(t *testing.T) {
			for range 2 { // the second time the stack is known
				if err := shape(compare); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestGarbageAboveTheOutermostFrame(t *testing.T) {
	if !callstack.Predicts {
		t.Skip("not on this system")
	}
	for _, word := range []uintptr{0, 1, 8, ^uintptr(0), ^uintptr(7), ^uintptr(15), ^uintptr(23)} {
		var captured []*callstack.Stack
		err := onAnotherGoroutine(func() error {
			var table callstack.Table
			for range 2 { // the second time the stack is known
				captured = append(captured, callstack.CaptureAbove(&table, word))
			}
			return compare()
		})
		if err != nil {
			t.Error(err)
		}
		if captured[0] != captured[1] || len(captured[0].Frames()) < 3 {
			t.Errorf("%#x: captured %s and %s", word, lines(captured[0].Frames()), lines(captured[1].Frames()))
		}
	}
}

// TestWalkOverRandomShapes nests shapes at random on many goroutines, while
// garbage is collected, stacks are copied and goroutines are preempted.
func TestWalkOverRandomShapes(t *testing.T) {
	var failed atomic.Bool
	stop := make(chan struct{})
	var collector, wg sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	for seed := range uint64(64) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 0))
			for done := 0; done < *captures/64 && !failed.Load(); {
				f := body(compare)
				for range r.IntN(8) {
					f = nest(shapes[r.IntN(len(shapes))], f)
				}
				for range 1 + r.IntN(16) { // again, when it is known
					done++
					if err := f(); err != nil {
						if !failed.Swap(true) { // one is enough to read
							t.Errorf("seed %d: %v", seed, err)
						}
						return
					}
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	collector.Wait()
}

func nest(shape func(body) error, f body) body { return func() error { return shape(f) } }
