package tracker_test

import (
	"context"
	"database/sql"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// crowd is a process with twenty thousand goroutines, three thousand of which
// hold a transaction, and five thousand of which wait for a connection. It
// returns the tracker, and a pool with room.
func crowd(t testing.TB) (*tracker.Tracker, *sql.DB) {
	const idle, holders, waiters = 12_000, 3000, 5000
	tr, err := tracker.New(tracker.WithProofInterval(0))
	if err != nil {
		t.Fatal(err)
	}
	full, free := openNamed(tr, "full"), openNamed(tr, "free")
	full.SetMaxOpenConns(holders)
	ctx, end := context.WithCancel(ctx)
	var all, ready sync.WaitGroup
	ready.Add(idle + holders)
	for i := range idle + holders {
		all.Go(func() {
			if i < holders {
				tx, err := full.BeginTx(ctx, nil)
				if err != nil {
					t.Error(err)
				} else {
					defer tx.Rollback()
				}
			}
			sink(10, func() { ready.Done(); <-ctx.Done() })
		})
	}
	ready.Wait()
	for range waiters {
		all.Go(func() { sink(10, func() { full.ExecContext(ctx, "update") }) })
	}
	for full.Stats().WaitCount < waiters {
		runtime.Gosched()
	}
	t.Cleanup(func() {
		end()
		all.Wait()
		full.Close()
		free.Close()
	})
	return tr, free
}

// sink runs f in so many functions.
//
//go:noinline
func sink(depth int, f func()) {
	if depth > 0 {
		sink(depth-1, f)
		runtime.KeepAlive(depth)
		return
	}
	f()
}

// TestDiagnoseCrowd bounds the memory that a diagnosis takes, and what is left of
// it, and has queries go on meanwhile.
func TestDiagnoseCrowd(t *testing.T) {
	tr, free := crowd(t)
	var stop atomic.Bool
	var queries atomic.Int64
	var querying sync.WaitGroup
	for range 4 {
		querying.Go(func() {
			for !stop.Load() {
				if _, err := free.Exec("update"); err != nil {
					t.Error(err)
				}
				queries.Add(1)
			}
		})
	}
	for queries.Load() < 100 {
		runtime.Gosched()
	}
	var before, after, kept runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	at, start := queries.Load(), time.Now()
	d := tr.DiagnoseNow()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	during := queries.Load() - at
	stop.Store(true)
	querying.Wait()
	allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("took %v and %d MiB; %d queries meanwhile", took, allocated, during)
	if allocated > 200 {
		t.Errorf("%d MiB allocated", allocated)
	}
	eventually(t, "the dumps are forgotten, also those of sweeps", func() bool {
		runtime.ReadMemStats(&kept)
		return kept.HeapAlloc < before.HeapAlloc+4<<20
	})
	if d.Missing > 0 || len(d.Deadlocks) > 0 || len(d.Pools) == 0 || d.Pools[0].Waiting != 5000 ||
		d.Pools[0].Holders[0].Handles.Count != 3000 || len(d.Pools[0].Holders[0].Openers) != 1 {
		t.Errorf("%d goroutines missing, %d deadlocks, %d pools", d.Missing, len(d.Deadlocks), len(d.Pools))
	}
	if during == 0 {
		t.Error("no query went on")
	}
	runtime.KeepAlive(d)
}

func BenchmarkDiagnose20000(b *testing.B) {
	tr, _ := crowd(b)
	b.ReportAllocs()
	for b.Loop() {
		tr.DiagnoseNow()
	}
}
