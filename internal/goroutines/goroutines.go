// Package goroutines says what every goroutine of the process is doing, as the
// runtime tells it in the text of [runtime.Stack].
//
// That text is for people: it may change with any release of Go. What isn't
// understood is left out and counted, never guessed. Numbers that look like
// addresses are compared with others, never followed.
package goroutines

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// maxText is the size at which the text of a dump is cut.
const maxText = 64 << 20

// Dump is what all goroutines were doing at one moment. It is immutable.
type Dump struct {
	TakenAt time.Time
	// Took is for how long it kept its reader, and in part the world, waiting.
	Took time.Duration
	// Goroutines starts with the one that took the dump.
	Goroutines []Goroutine
	// Total is the number of goroutines there were; more than there are in
	// the dump if it is Cut, or some were not understood.
	Total int
	// Cut: the text was too long, and its end is missing.
	Cut bool
	// Unknown counts the goroutines that were not understood.
	Unknown int

	byID map[int64]int
}

// Take takes a dump now. It stops the world for some microseconds per
// goroutine; see [Source] for who is asked more often than now and then.
func Take() *Dump { return take(maxText) }

func take(limit int) *Dump {
	start := time.Now()
	total := runtime.NumGoroutine()
	text, cut := stacks(total, limit)
	d := &Dump{TakenAt: start, Cut: cut}
	d.Goroutines, d.Unknown = parse(text)
	if n := len(d.Goroutines); cut && n > 0 {
		d.Goroutines = d.Goroutines[:n-1] // not all of its frames are there
	}
	if d.Total = len(d.Goroutines) + d.Unknown; cut {
		d.Total = max(d.Total+1, total) // which has changed since
	}
	d.index()
	d.Took = time.Since(start)
	return d
}

// Parse reads the text of a dump that was taken before.
func Parse(text string) *Dump {
	d := &Dump{}
	d.Goroutines, d.Unknown = parse(text)
	d.Total = len(d.Goroutines) + d.Unknown
	d.index()
	return d
}

func (d *Dump) index() {
	d.byID = make(map[int64]int, len(d.Goroutines))
	for i := range d.Goroutines {
		d.byID[d.Goroutines[i].ID] = i
	}
}

// stacks returns the text of runtime.Stack.
func stacks(goroutines, limit int) (text string, cut bool) {
	const usual = 2 << 10 // bytes for a goroutine: rather too many than to do it twice
	for size := min(goroutines*usual+64<<10, limit); ; size = min(2*size, limit) {
		buf := make([]byte, size)
		n := runtime.Stack(buf, true)
		if n < size || size == limit {
			// Nobody writes to buf any more: a copy would double the memory.
			return unsafe.String(unsafe.SliceData(buf), n), n == size
		}
	}
}

// Find returns the goroutine with the id, or nil if it isn't in the dump: it
// has ended, unless the dump is cut.
func (d *Dump) Find(id int64) *Goroutine {
	i, ok := d.byID[id]
	if !ok {
		return nil
	}
	return &d.Goroutines[i]
}

// Waiters are the goroutines that wait for a connection of one pool.
type Waiters struct {
	// DB is the address of the pool's *sql.DB, to be compared only; 0 for
	// those of whom it isn't known.
	DB uintptr
	// Goroutines start with the one that waits for longest.
	Goroutines []*Goroutine
}

// Waiters finds who waits for a connection: the innermost function is
// (*sql.DB).conn. Further in, it is connecting, which isn't waiting. They are
// grouped by pool, the most first.
func (d *Dump) Waiters() []Waiters {
	byDB := make(map[uintptr]*Waiters)
	for i := range d.Goroutines {
		g := &d.Goroutines[i]
		if len(g.Frames) == 0 || g.Frames[0].Function != "database/sql.(*DB).conn" || !strings.HasPrefix(g.State, "select") {
			continue
		}
		db, _ := g.Frames[0].word()
		if byDB[db] == nil {
			byDB[db] = &Waiters{DB: db}
		}
		byDB[db].Goroutines = append(byDB[db].Goroutines, g)
	}
	out := make([]Waiters, 0, len(byDB))
	for _, w := range byDB {
		slices.SortStableFunc(w.Goroutines, func(a, b *Goroutine) int { return cmp.Compare(b.Wait, a.Wait) })
		out = append(out, *w)
	}
	slices.SortFunc(out, func(a, b Waiters) int {
		return cmp.Or(cmp.Compare(len(b.Goroutines), len(a.Goroutines)), cmp.Compare(a.DB, b.DB))
	})
	return out
}

// dumpShare is the part of the time that dumps of a [Source] may take: one in
// so many.
const dumpShare = 100

// Source shares dumps among those who ask for them. The zero value is ready to
// use. It is not for use in a bubble of testing/synctest, whose time is its
// own.
type Source struct {
	// Limit is the size in bytes at which the text of a dump is cut; 0 means
	// 64 MiB. Set it before first use.
	Limit int

	mu   sync.Mutex // held while a dump is taken
	last *Dump
}

// Dump returns a dump that is no older than maxAge: one that was taken for
// somebody else, or a new one. Dumps are taken one at a time, and take one
// hundredth of the time at most: if it is too early for a new one, the latest
// is returned, and fresh is false; of a large one that may be all but its
// goroutines.
func (s *Source) Dump(maxAge time.Duration) (d *Dump, fresh bool) {
	asked := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		if asked.Sub(s.last.TakenAt) <= maxAge {
			return s.last, true
		}
		if time.Since(s.last.TakenAt) < dumpShare*s.last.Took {
			return s.last, false
		}
	}
	limit := s.Limit
	if limit == 0 {
		limit = maxText
	}
	d = take(limit)
	s.last = d
	time.AfterFunc(max(maxAge, keepFor), func() { s.forget(d) })
	return d, true
}

// keepFor is for how long a dump is kept for others, as it may be large.
const keepFor = 2 * time.Second

// forget keeps of a dump only when it was, and how long it took.
func (s *Source) forget(d *Dump) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == d {
		s.last = &Dump{TakenAt: d.TakenAt, Took: d.Took, Total: d.Total, Cut: d.Cut, Unknown: d.Total}
	}
}

// CallingDB returns the address of the *sql.DB that the calling goroutine is
// in a method of; 0 if there is none, or that isn't sure.
func CallingDB() uintptr {
	for _, f := range self(16 << 10).Frames {
		if strings.HasPrefix(f.Function, "database/sql.(*DB).") {
			if db, sure := f.word(); sure {
				return db
			}
		}
	}
	return 0
}

// CallingBubble returns the number of the bubble of testing/synctest that the
// calling goroutine is in; 0 if it is in none.
func CallingBubble() int64 { return self(256).Bubble }

// self is the calling goroutine, with as much of its stack as fits in a text of
// size bytes.
func self(size int) Goroutine {
	buf := make([]byte, size)
	all, _ := parse(string(buf[:runtime.Stack(buf, false)]))
	if len(all) == 0 {
		return Goroutine{}
	}
	return all[0]
}
