package goroutines

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"
	"time"
)

func TestSourceSharesDumps(t *testing.T) {
	var s Source
	var asking sync.WaitGroup
	dumps := make([]*Dump, 8)
	for i := range dumps {
		asking.Go(func() { dumps[i], _ = s.Dump(time.Minute) })
	}
	asking.Wait()
	for _, d := range dumps {
		if d != dumps[0] {
			t.Error("a dump for each")
		}
	}
}

func TestSourceKeepsItsBudget(t *testing.T) {
	var s Source
	first, fresh := s.Dump(0)
	if !fresh {
		t.Error("the first is fresh")
	}
	s.last.Took = time.Hour
	if d, fresh := s.Dump(0); d != first || fresh {
		t.Errorf("another dump, fresh: %v", fresh)
	}
	s.last.Took = 0
	if d, fresh := s.Dump(0); d == first || !fresh {
		t.Errorf("no new dump, fresh: %v", fresh)
	}
}

func TestSourceLimit(t *testing.T) {
	situation(t)
	s := Source{Limit: 2 << 10}
	if d, _ := s.Dump(0); !d.Cut {
		t.Error("not cut")
	}
}

// crowd is twenty thousand goroutines, each in a dozen functions.
func crowd(b testing.TB) {
	const n, depth = 20_000, 10
	end := make(chan struct{})
	var started, running sync.WaitGroup
	started.Add(n)
	for range n {
		running.Go(func() { descend(depth, end, started.Done) })
	}
	started.Wait()
	b.Cleanup(func() {
		close(end)
		running.Wait()
	})
}

//go:noinline
func descend(depth int, end chan struct{}, there func()) {
	if depth > 0 {
		descend(depth-1, end, there)
		runtime.KeepAlive(depth)
		return
	}
	there()
	<-end
}

// TestCrowd bounds time, generously, and memory.
func TestCrowd(t *testing.T) {
	crowd(t)
	before := allocated()
	d := Take()
	d.Waiters()
	if len(d.Goroutines) < 20_000 || d.Cut || d.Unknown > 0 {
		t.Errorf("%d goroutines, cut %v, %d unknown", len(d.Goroutines), d.Cut, d.Unknown)
	}
	if mib := (allocated() - before) >> 20; mib > 200 {
		t.Errorf("%d MiB allocated", mib)
	}
	t.Logf("%d goroutines took %v and %d MiB", len(d.Goroutines), d.Took, (allocated()-before)>>20)
	if d.Took > 10*time.Second {
		t.Errorf("took %v", d.Took)
	}
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func BenchmarkTake20000(b *testing.B) {
	crowd(b)
	b.ReportAllocs()
	for b.Loop() {
		Take()
	}
}
