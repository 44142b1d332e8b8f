package compat

import (
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// heldByWaiters are goroutines that are blocked, but not for ever.
var heldByWaiters = []keeper{
	{"for a sender", func(_ *testing.T, end func()) {
		ch := make(chan int)
		go later(func() { ch <- 1 })
		go func() {
			<-ch
			end()
		}()
	}},
	{"for a receiver", func(_ *testing.T, end func()) {
		ch := make(chan int)
		go later(func() { <-ch })
		go func() {
			ch <- 1
			end()
		}()
	}},
	{"for a receiver of itself", func(_ *testing.T, end func()) {
		ch := make(chan func())
		go later(func() { (<-ch)() })
		go func() { ch <- end }()
	}},
	{"in a buffer", func(_ *testing.T, end func()) {
		ch := make(chan func(), 1)
		ch <- end
		go later(func() { (<-ch)() })
	}},
	{"for a chain of others", func(_ *testing.T, end func()) {
		first := make(chan int)
		last := first
		for range 5 {
			from, to := last, make(chan int)
			go func() { to <- <-from }()
			last = to
		}
		go func() {
			<-last
			end()
		}()
		go later(func() { first <- 1 })
	}},
	{"for a lock", func(_ *testing.T, end func()) {
		var mu sync.Mutex
		mu.Lock()
		go later(mu.Unlock)
		go func() {
			mu.Lock()
			defer mu.Unlock()
			end()
		}()
	}},
	{"for a lock to read", func(_ *testing.T, end func()) {
		var mu sync.RWMutex
		mu.Lock()
		go later(mu.Unlock)
		go func() {
			mu.RLock()
			defer mu.RUnlock()
			end()
		}()
	}},
	{"for a condition", func(_ *testing.T, end func()) {
		cond := sync.NewCond(new(sync.Mutex))
		var done atomic.Bool
		go later(func() {
			done.Store(true)
			cond.L.Lock()
			cond.Broadcast()
			cond.L.Unlock()
		})
		go func() {
			cond.L.Lock()
			for !done.Load() {
				cond.Wait()
			}
			cond.L.Unlock()
			end()
		}()
	}},
	{"for a group", func(_ *testing.T, end func()) {
		var group sync.WaitGroup
		group.Go(func() { time.Sleep(spell) })
		go func() {
			group.Wait()
			end()
		}()
	}},
	{"for something that is done once", func(_ *testing.T, end func()) {
		once := sync.OnceFunc(func() { time.Sleep(spell) })
		go once()
		go func() {
			once()
			end()
		}()
	}},
	{"for time or something that never comes", func(_ *testing.T, end func()) {
		go func() {
			select {
			case <-make(chan int):
			case <-time.After(spell):
			}
			end()
		}()
	}},
	{"for ticks", func(_ *testing.T, end func()) {
		go func() {
			ticker := time.NewTicker(spell / 3)
			defer ticker.Stop()
			for range 3 {
				<-ticker.C
			}
			end()
		}()
	}},
	{"for one of many, by reflection", func(_ *testing.T, end func()) {
		ch := make(chan int)
		go later(func() { close(ch) })
		go func() {
			reflect.Select([]reflect.SelectCase{
				{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(make(chan int))},
				{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ch)},
			})
			end()
		}()
	}},
	{"in a worker that waits for jobs", func(t *testing.T, end func()) {
		jobs := make(chan int)
		kept.Store(t.Name(), jobs)
		go func() {
			for range jobs {
			}
			end()
		}()
		time.AfterFunc(spell, func() {
			jobs, _ := kept.LoadAndDelete(t.Name())
			close(jobs.(chan int))
		})
	}},
	{"in an iterator", func(_ *testing.T, end func()) {
		next, stop := iter.Pull(func(yield func(int) bool) {
			defer end()
			yield(1)
		})
		next()
		go later(stop)
	}},
	{"for a pipe", func(t *testing.T, end func()) {
		r, w := io.Pipe()
		go later(func() { w.Close() })
		go func() {
			_, _ = io.ReadAll(r)
			end()
		}()
	}},
	{"for the network", func(t *testing.T, end func()) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go later(func() { l.Close() })
		go func() {
			_, _ = l.Accept()
			end()
		}()
	}},
	{"for a client", func(_ *testing.T, end func()) {
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			end()
		}))
		body, send := io.Pipe()
		go later(func() { send.Close() })
		go func() {
			if r, err := s.Client().Post(s.URL, "text/plain", body); err == nil {
				r.Body.Close()
			}
			s.Close()
		}()
	}},
	{"for a process", func(_ *testing.T, end func()) {
		go func() {
			_ = exec.Command("sleep", fmt.Sprint(spell.Seconds())).Run()
			end()
		}()
	}},
	{"for a signal", func(_ *testing.T, end func()) {
		ch := make(chan os.Signal, 1)
		signal.Notify(ch, syscall.SIGWINCH)
		go func() {
			<-ch
			signal.Stop(ch)
			end()
		}()
		time.AfterFunc(spell, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGWINCH) })
	}},
}
