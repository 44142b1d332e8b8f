package main

import (
	"context"
	"database/sql"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
)

// Goroutines share a DB unless each is to have its own.
func TestDBsOfGoroutines(t *testing.T) {
	const n = 10
	for _, l := range []load{
		{Op: "Exec"}, {Op: "Exec", Parallel: true}, {Op: "Exec", Parallel: true, Apart: true},
	} {
		l.Sites = 1
		t.Run(l.String(), func(t *testing.T) {
			used := make([]atomic.Int64, runtime.GOMAXPROCS(0))
			var d dbs
			for i := range used {
				db := sql.OpenDB(&nopdriver.Connector{Before: func(_ context.Context, call, _ string) error {
					if call == "exec" {
						used[i].Add(1)
					}
					return nil
				}})
				defer db.Close()
				d = append(d, db)
			}
			if _, err := d.measure(l, n); err != nil {
				t.Fatal(err)
			}
			for i := range used {
				want := int64(0)
				switch {
				case l.Apart:
					want = n + 1 // and one unmeasured
				case i == 0:
					want = int64(l.goroutines()) * (n + 1)
				}
				if got := used[i].Load(); got != want {
					t.Errorf("DB %d was used %d times, want %d", i, got, want)
				}
			}
		})
	}
}
