package main

import (
	"database/sql"
	"errors"
	"runtime"
	"sync"
	"time"
)

// load is what is measured: an operation, under so many callers, from so many
// sites in turn, on one goroutine or on one for each processor.
type load struct {
	Op       string
	Depth    int
	Sites    int
	Parallel bool
	// Apart has each goroutine use a DB of its own: then none waits for
	// database/sql's lock, which it can spend more time on than on all else.
	Apart bool
}

func mainLoad(op string) load { return load{Op: op, Depth: mainDepth, Sites: 1} }

// sample is what running a load cost.
type sample struct {
	Ops       int // operations, or rows
	CPU, Wall time.Duration
	// Allocs and Bytes are heap allocations.
	Allocs, Bytes uint64
}

// goroutines is how many run the load.
func (l load) goroutines() int {
	if l.Parallel {
		return runtime.GOMAXPROCS(0)
	}
	return 1
}

// dbs are a contender's DBs: one for each goroutine that there may be.
type dbs []*sql.DB

// measure runs the operation n times on each goroutine.
func (d dbs) measure(l load, n int) (sample, error) {
	op := find(operations, l.Op)
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	errs := make([]error, l.goroutines())
	ready.Add(len(errs))
	for i := range errs {
		db := d[0]
		if l.Apart {
			db = d[i]
		}
		path := deepStack(l.Depth, 0, func() {
			// Once from each site unmeasured: the stack grows, a connection opens.
			for _, site := range sites[:l.Sites] {
				errs[i] = errors.Join(errs[i], site(op, db))
			}
			ready.Done()
			<-start
			for j := 0; j < n && errs[i] == nil; j++ {
				errs[i] = sites[j%l.Sites](op, db)
			}
		})
		done.Go(func() { path[0](path[1:]) })
	}
	ready.Wait()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	wall, cpu := time.Now(), cpuTime()
	close(start)
	done.Wait()
	s := sample{Ops: n * op.per * len(errs), CPU: cpuTime() - cpu, Wall: time.Since(wall)}
	runtime.ReadMemStats(&after)
	s.Allocs, s.Bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return s, errors.Join(errs...)
}

// repeat runs the load n times without measuring it.
func repeat(db *sql.DB, l load, n int) (err error) {
	var done sync.WaitGroup
	op := find(operations, l.Op)
	path := deepStack(l.Depth, 0, func() {
		for j := 0; j < n && err == nil; j++ {
			err = sites[j%l.Sites](op, db)
		}
	})
	done.Go(func() { path[0](path[1:]) })
	done.Wait()
	return err
}
