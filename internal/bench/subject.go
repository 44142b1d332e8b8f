package main

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
)

// subject is a contender that can be measured.
type subject interface {
	// measure runs the load n times on each goroutine.
	measure(l load, n int) (sample, error)
	close() error
}

// local is a contender in this process.
type local struct{ dbs }

func openLocal(c contender) local {
	var s local
	for range runtime.GOMAXPROCS(0) {
		db := c.open(&nopdriver.Connector{})
		db.SetMaxIdleConns(1000) // no contender is to open a connection while it is measured
		s.dbs = append(s.dbs, db)
	}
	return s
}

func (s local) close() (err error) {
	for _, db := range s.dbs {
		err = errors.Join(err, db.Close())
	}
	return err
}

// named is what has a name on the command line.
type named interface{ id() string }

func (c contender) id() string { return c.name }
func (o operation) id() string { return o.name }

func names[T named](list []T) []string {
	var out []string
	for _, v := range list {
		out = append(out, v.id())
	}
	return out
}

// find returns the element of that name; it must exist.
func find[T named](list []T, name string) T {
	return list[slices.IndexFunc(list, func(v T) bool { return v.id() == name })]
}

// repetitions is how often to run the load so that it takes about so long. It
// trusts the fastest of some runs: with a number that is too small because the
// machine was busy, what a slice costs besides would be taken for the load's.
func repetitions(s subject, l load, slice time.Duration) (int, error) {
	for n := 1; ; n *= 4 {
		fastest := time.Duration(math.MaxInt64)
		for range 4 {
			got, err := s.measure(l, n)
			if err != nil {
				return 0, err
			}
			fastest = min(fastest, got.Wall)
		}
		if fastest >= slice/4 {
			return max(1, int(float64(n)*float64(slice)/float64(fastest))), nil
		}
	}
}

// runOnly runs each operation of each contender and measures nothing.
func (o options) runOnly() error {
	for _, name := range o.contenders {
		s := openLocal(find(contenders, name))
		for _, op := range o.ops {
			if err := repeat(s.dbs[0], load{Op: op, Depth: mainDepth, Sites: o.sites}, o.times); err != nil {
				return err
			}
		}
		if err := s.close(); err != nil {
			return err
		}
	}
	return nil
}
