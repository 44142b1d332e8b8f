// Package reach finds out which objects can still be reached by a goroutine
// that can run. Garbage collection alone can't tell: it takes every goroutine
// for a root, also one that is blocked for ever, and what such a goroutine
// refers to stays.
//
// The goroutine-leak profile can (Go 1.27; Go 1.26 built with
// GOEXPERIMENT=goroutineleakprofile): it marks from the goroutines that can
// run, then from those that these can wake, and so on, and calls leaked who is
// left. So a goroutine is started for each object in question, which waits for
// a channel that only the object refers to. If that goroutine is leaked,
// nobody who can run reaches the object. No address is compared and no stack
// is read, so the answer is about this very object.
//
// It is as sure as the profile. Objects reached through weak pointers or
// hidden from the garbage collector (package unsafe) count as unreachable.
package reach

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"weak"
)

const profileName = "goroutineleak"

// Available reports whether the runtime has the goroutine-leak profile.
func Available() bool { return pprof.Lookup(profileName) != nil }

// Bubbled reports whether the caller runs in a bubble of testing/synctest,
// where goroutines are never called leaked: time.Now has no monotonic reading
// there (runtime.time_runtimeNow, Go 1.25 and later).
func Bubbled() bool {
	now := time.Now()
	return now == now.Round(0)
}

// Point is part of an object that can be asked about. It must not be copied.
// The zero value is ready to use.
type Point struct{ latch *latch }

// latch keeps a goroutine waiting until it is opened.
type latch struct{ open chan struct{} }

// label is the profiler label by which the waiting goroutines are told apart.
const label = "dbleaks-reach"

// asking is held while a question is asked: the profile is the process's.
var asking sync.Mutex

// Stranded reports for each of the objects whether no goroutine that can run
// reaches it any more. at returns the object's Point, or nil if the object is
// gone; neither the elements nor at may refer to an object strongly. What
// nobody refers to at all is gone, not stranded. An object may be missed: what
// matters is who is blocked at the moment.
//
// It is false, and nothing was asked, if the profile is not [Available] or the
// caller is [Bubbled]. It takes two garbage collections, one question at a
// time.
func Stranded[T any](objects []T, at func(T) *Point) (stranded []bool, ok bool) {
	profile := pprof.Lookup(profileName)
	if profile == nil || Bubbled() {
		return nil, false
	}
	asking.Lock()
	defer asking.Unlock()
	q := &question{latches: make([]weak.Pointer[latch], len(objects)), id: strconv.FormatUint(rand.Uint64(), 36)}
	for i, o := range objects {
		q.hang(i, at(o))
	}
	q.settle()
	var text bytes.Buffer
	err := profile.WriteTo(&text, 1)
	q.end(profile)
	if err != nil {
		return nil, false
	}
	stranded = q.answers(text.Bytes())
	for i, o := range objects {
		stranded[i] = stranded[i] && at(o) != nil
	}
	return stranded, true
}

type question struct {
	// id makes the labels unlike those of other questions, also of another
	// copy of this package in the same program.
	id string
	// latches are weak: only the objects refer to them, and who waits.
	latches []weak.Pointer[latch]
	waiting atomic.Int64
	waiters sync.WaitGroup
	hung    int64
}

// hang gives the object a latch and starts the goroutine that waits for it.
func (q *question) hang(i int, p *Point) {
	if p == nil {
		return
	}
	l := &latch{open: make(chan struct{})}
	p.latch = l
	q.latches[i] = weak.Make(l)
	q.hung++
	q.waiters.Add(1)
	go l.wait(pprof.Labels(label, fmt.Sprintf("%s-%d", q.id, i)), &q.waiting, &q.waiters)
}

// wait refers to nothing but the latch and what counts who waits.
func (l *latch) wait(labels pprof.LabelSet, waiting *atomic.Int64, waiters *sync.WaitGroup) {
	defer waiters.Done()
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), labels))
	waiting.Add(1)
	<-l.open
	runtime.KeepAlive(l) // for end
}

// settle lets those who wait go to sleep: one that still runs is not leaked.
func (q *question) settle() {
	for q.waiting.Load() < q.hung {
		runtime.Gosched()
	}
	time.Sleep(time.Millisecond) // nothing tells when the last one sleeps
}

// answers looks for the labels in the profile's text.
func (q *question) answers(text []byte) []bool {
	stranded := make([]bool, len(q.latches))
	for line := range bytes.Lines(text) {
		_, value, ok := bytes.Cut(line, []byte(`"`+label+`":"`+q.id+`-`))
		if !ok {
			continue
		}
		number, _, _ := bytes.Cut(value, []byte(`"`))
		if i, err := strconv.Atoi(string(number)); err == nil && 0 <= i && i < len(stranded) {
			stranded[i] = true
		}
	}
	return stranded
}

// end wakes those who wait. The runtime throws at who wakes a goroutine that
// it has called leaked. It takes that back at the start of the next profile,
// and with the latches at hand it doesn't say so again, whoever asks.
func (q *question) end(profile *pprof.Profile) {
	var latches []*latch
	for _, w := range q.latches {
		// Each is there: the goroutine that waits refers to it.
		if l := w.Value(); l != nil {
			latches = append(latches, l)
		}
	}
	_ = profile.WriteTo(io.Discard, 1)
	for _, l := range latches {
		close(l.open)
	}
	q.waiters.Wait()
	runtime.KeepAlive(latches)
}
