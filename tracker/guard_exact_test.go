package tracker_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// guardedRun is set for the runs of this binary that TestGuardExactly looks at.
const guardedRun = "GUARDED_RUN"

// TestGuardExactly runs tests, a benchmark and a fuzz target of this binary
// that leak by plan, and compares which fail, and who is blamed.
func TestGuardExactly(t *testing.T) {
	var leaky []string
	for i := 0; i < 50; i += 5 {
		leaky = append(leaky, fmt.Sprintf("TestGuarded/leaky_%d", i), fmt.Sprintf("TestGuarded/parent_%d/leaky", i))
	}
	for _, tt := range []struct {
		flags []string
		leaky []string
	}{
		{[]string{"-test.run=^TestGuarded$", "-test.parallel=16"}, leaky},
		{[]string{"-test.run=^FuzzGuarded$"}, []string{"FuzzGuarded/seed#1"}},
		{[]string{"-test.run=^$", "-test.bench=^BenchmarkGuarded$", "-test.benchtime=1x"}, []string{"BenchmarkGuarded/leaky"}},
	} {
		cmd := exec.Command(os.Args[0], append(tt.flags, "-test.v")...)
		cmd.Env = append(os.Environ(), guardedRun+"=1")
		out, _ := cmd.CombinedOutput()
		find := func(pattern string) (names []string) {
			for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(out, -1) {
				names = append(names, string(m[1]))
			}
			slices.Sort(names)
			return names
		}
		blamed := find(`(?m)^ +scope +(\S+)$`)
		failed := slices.DeleteFunc(find(`--- FAIL: (\S+)`), func(name string) bool {
			return slices.ContainsFunc(tt.leaky, func(s string) bool { return strings.HasPrefix(s, name+"/") })
		})
		slices.Sort(tt.leaky)
		if !slices.Equal(blamed, tt.leaky) || !slices.Equal(failed, tt.leaky) {
			t.Errorf("%s: leaky\n%q, failed\n%q, blamed\n%q\n%s", tt.flags, tt.leaky, failed, blamed, out)
		}
	}
}

// sharedDB is one for all guarded tests. Some of its connections are opened by
// the pool itself, for whom it may concern.
var sharedDB = sync.OnceValue(func() *sql.DB {
	db := driverwrap.OpenDB(&nopdriver.Connector{})
	db.SetMaxOpenConns(40)
	db.SetMaxIdleConns(3)
	return db
})

// TestGuarded is run by TestGuardExactly.
func TestGuarded(t *testing.T) {
	if os.Getenv(guardedRun) == "" {
		t.Skip("run by TestGuardExactly")
	}
	for i := range 50 {
		name := "clean"
		if i%5 == 0 {
			name = "leaky"
		}
		t.Run(fmt.Sprintf("%s_%d", name, i), func(t *testing.T) {
			t.Parallel()
			tracker.Guard(t)
			traffic(t, i)
			if name == "leaky" {
				// From a parallel subtest, whose parent's function is over.
				t.Run("sub", func(t *testing.T) {
					t.Parallel()
					traffic(t, i)
					leakSomehow(i/5, sharedDB())
				})
			}
		})
		// Subtests that answer for themselves, of a parent that doesn't leak.
		t.Run(fmt.Sprintf("parent_%d", i), func(t *testing.T) {
			t.Parallel()
			tracker.Guard(t)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				tracker.Guard(t)
				traffic(t, i)
				if name == "leaky" {
					leakSomehow(i/5, sharedDB())
				}
			})
			traffic(t, i)
		})
	}
}

// traffic gives back what it opens, from several goroutines.
func traffic(t *testing.T, i int) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				rows := must[*sql.Rows](t)(sharedDB().QueryContext(t.Context(), "rows 3"))
				rows.Next()
				rows.Close()
				tx := must[*sql.Tx](t)(sharedDB().Begin())
				must[sql.Result](t)(tx.Exec("insert"))
				tx.Commit()
			}
		})
	}
	all.Wait()
}

//go:noinline
func leakSomehow(i int, db *sql.DB) {
	switch i % 4 {
	case 0:
		db.Query("rows 5")
	case 1:
		db.Begin()
	case 2:
		inGoroutine(func() { db.Conn(context.Background()) })
	case 3:
		db.QueryRow("rows 5")
	}
}

// BenchmarkGuarded is run by TestGuardExactly.
func BenchmarkGuarded(b *testing.B) {
	if os.Getenv(guardedRun) == "" {
		b.Skip("run by TestGuardExactly")
	}
	b.Run("leaky", func(b *testing.B) {
		tracker.Guard(b)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				sharedDB().Exec("insert")
			}
		})
		leakRow(sharedDB())
	})
}

// FuzzGuarded is run by TestGuardExactly.
func FuzzGuarded(f *testing.F) {
	if os.Getenv(guardedRun) == "" {
		f.Skip("run by TestGuardExactly")
	}
	tracker.Guard(f)
	f.Add("clean")
	f.Add("leaky")
	f.Fuzz(func(t *testing.T, how string) {
		tracker.Guard(t)
		traffic(t, 0)
		if how == "leaky" {
			leakRow(sharedDB())
		}
	})
}
