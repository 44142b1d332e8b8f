package tracker

import (
	"slices"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/goroutines"
	"github.com/dbleaks-go/dbleaks/internal/record"
)

// world is the goroutines of a dump, seen with a tracker's eyes.
type world struct {
	cfg     *config
	dump    *goroutines.Dump
	age     time.Duration // of the dump, if it is an old one
	byDB    map[uintptr]*record.Pool
	drivers []string // what the packages of drivers begin with
	waiters map[*record.Pool][]*goroutines.Goroutine
	waits   map[int64]wait // by goroutine
	// guesses are waits by goroutine that may be for something else.
	guesses map[int64]wait
	// helpers of a goroutine may use what it holds.
	helpers map[int64][]int64
	inside  map[uintptr][]int64 // see findObjects
}

// wait is what a goroutine waits for: a connection of pool, itself or, unless
// by is 0, behind that goroutine.
type wait struct {
	pool *record.Pool
	by   int64
	via  Link
	// owners are the goroutines of which one holds the mutex that it waits for.
	owners []int64
	// group is the package of the group that it waits for; empty if it is none.
	group string
}

func newWorld(cfg *config, dump *goroutines.Dump, pools []*record.Pool) *world {
	w := &world{
		cfg: cfg, dump: dump, byDB: make(map[uintptr]*record.Pool),
		waiters: make(map[*record.Pool][]*goroutines.Goroutine),
		waits:   make(map[int64]wait), guesses: make(map[int64]wait), helpers: make(map[int64][]int64),
	}
	for _, p := range pools { // by age: where an address serves again, the latest counts
		if db := p.DB(); db != 0 && !p.Closed() {
			w.byDB[db] = p
		}
		if pkg := repository(p.DriverPackage()); pkg != "" && !slices.Contains(w.drivers, pkg) {
			w.drivers = append(w.drivers, pkg)
		}
	}
	w.findWaiters()
	if len(w.waits) > 0 { // else nobody waits behind others either
		w.findHelpers()
		w.findObjects()
		w.findBehind()
	}
	return w
}

func (w *world) findWaiters() {
	for _, group := range w.dump.Waiters() {
		p := w.byDB[group.DB]
		if p == nil {
			continue // of a DB that nobody watches, or that isn't sure
		}
		w.waiters[p] = group.Goroutines
		for _, g := range group.Goroutines {
			w.waits[g.ID] = wait{pool: p}
		}
	}
}

// findHelpers notes who was started by whom, and who was handed a transaction or
// rows: database/sql starts a goroutine for most of them, which tells whose they
// are, and where they lie. What it is handed inside of something else isn't seen.
func (w *world) findHelpers() {
	handles := make(map[uintptr]int64)
	var working []*goroutines.Goroutine
	for i := range w.dump.Goroutines {
		g := &w.dump.Goroutines[i]
		if len(g.Frames) > 0 && g.CreatedBy.Package() == "database/sql" {
			last := g.Frames[len(g.Frames)-1]
			if typ := last.ReceiverType(); typ == "database/sql.Tx" || typ == "database/sql.Rows" {
				if handle := last.Receiver(); handle != 0 {
					handles[handle] = g.Creator
				}
			}
		}
		if !w.atWork(g) {
			continue
		}
		working = append(working, g)
		if g.Creator != 0 {
			w.helpers[g.Creator] = append(w.helpers[g.Creator], g.ID)
		}
	}
	if len(handles) == 0 {
		return
	}
	for _, g := range working {
		for _, f := range g.Frames {
			for word := range f.Words() {
				if owner := handles[word]; owner != 0 && owner != g.ID && !slices.Contains(w.helpers[owner], g.ID) {
					w.helpers[owner] = append(w.helpers[owner], g.ID)
				}
			}
		}
	}
}

// atWork reports whether a goroutine may do something with a handle: it is more
// than a part of the standard library or of a driver, and doesn't only wait for
// others to connect, as servers do.
func (w *world) atWork(g *goroutines.Goroutine) bool {
	if g.State == "IO wait" && slices.ContainsFunc(g.Frames, func(f goroutines.Frame) bool { return f.Function == "net.(*netFD).accept" }) {
		return false
	}
	own := func(f goroutines.Frame) bool {
		return standard(f.Package(), f.File) || w.isDriver(f.Package())
	}
	return !own(g.CreatedBy) || slices.ContainsFunc(g.Frames, func(f goroutines.Frame) bool { return !own(f) })
}

func (w *world) isDriver(pkg string) bool {
	return slices.ContainsFunc(w.drivers, func(d string) bool {
		rest, ok := strings.CutPrefix(pkg, d)
		return ok && (rest == "" || rest[0] == '/')
	})
}

// repository is what the packages of the driver with the import path begin with.
// Only the very package counts of a driver that is part of the program.
func repository(pkg string) string {
	repo := firstElements(pkg, 3)
	if own := mainModule(); own != "" && firstElements(own, 3) == repo {
		return pkg
	}
	return repo
}

func firstElements(importPath string, n int) string {
	parts := strings.SplitN(importPath, "/", n+1)
	return strings.Join(parts[:min(len(parts), n)], "/")
}

// findBehind finds who waits behind others that wait for a connection.
func (w *world) findBehind() {
	behind := make(map[int64]wait)
	for i := range w.dump.Goroutines {
		g := &w.dump.Goroutines[i]
		switch by := w.awaited(g); {
		case g.State == "sync.WaitGroup.Wait" && by != nil:
			to := w.behind(by.ID, LinkGroup)
			if group := by.CreatedBy; strings.HasSuffix(group.Function, ").Go") {
				to.group = group.Package()
			}
			behind[g.ID] = to
		case g.State == "chan receive" && by != nil && w.innermost(g) == 0:
			w.guesses[g.ID] = w.behind(by.ID, LinkChannel)
		case g.State == "coroutine":
			if by := w.iterates(g); by != 0 {
				behind[g.ID] = w.behind(by, LinkIterator)
			}
		default:
			if object, typ := lockedObject(g); object != 0 {
				if by, owners := w.ownerOf(object, typ); by != 0 {
					to := w.behind(by, LinkMutex)
					to.owners = owners
					behind[g.ID] = to
				}
			}
		}
	}
	for id, to := range behind {
		w.waits[id] = to
	}
}

// behind is a wait behind a goroutine that waits for a connection.
func (w *world) behind(by int64, via Link) wait {
	return wait{pool: w.waits[by].pool, by: by, via: via}
}

// iterates is the goroutine that waits for a connection, and runs the iterator
// (iter.Pull) from which g takes a value, or takes the values of that which g
// runs; 0 if there is none. Who starts an iterator usually takes its values.
func (w *world) iterates(g *goroutines.Goroutine) int64 {
	if len(g.Frames) == 0 || g.Frames[0].Package() != "iter" {
		return 0
	}
	if strings.HasSuffix(g.Frames[0].Function, ".func1.1") { // its yield
		if _, waits := w.waits[g.Creator]; waits {
			return g.Creator
		}
		return 0
	}
	for _, id := range w.helpers[g.ID] {
		other := w.dump.Find(id)
		if _, waits := w.waits[id]; waits && other.Creator == g.ID && other.CreatedBy.Package() == "iter" {
			return id
		}
	}
	return 0
}

// awaited is a goroutine that waits for a connection and that g seems to wait
// for: g is in the function that started it, or it was started by a group's
// method Go; nil if there is none.
func (w *world) awaited(g *goroutines.Goroutine) *goroutines.Goroutine {
	for _, id := range w.helpers[g.ID] {
		other := w.dump.Find(id)
		started := other.CreatedBy.Function
		group := strings.HasSuffix(started, ").Go")
		if _, waits := w.waits[id]; waits && other.Creator == g.ID &&
			(group || slices.ContainsFunc(g.Frames, func(f goroutines.Frame) bool { return f.Function == started })) {
			return other
		}
	}
	return nil
}

// waitsAt is the line on which a goroutine waits like that.
func (w *world) waitsAt(g *goroutines.Goroutine, to wait) Frame {
	i := w.innermost(g)
	for i >= 0 && i < len(g.Frames)-1 && g.Frames[i].Package() == to.group {
		i++
	}
	if i < 0 {
		return Frame{}
	}
	return gFrame(g.Frames[i])
}

// stuckIn are the goroutines that wait for one of the pools, as long as nobody
// goes on who they wait for, or who may use what they hold.
func (w *world) stuckIn(pools map[*record.Pool]holding) map[int64]bool {
	stuck := make(map[int64]bool)
	for id, to := range w.waits {
		if _, ok := pools[to.pool]; ok {
			stuck[id] = true
		}
	}
	goesOn := func(id int64) bool { return !stuck[id] }
	for changed := true; changed; {
		changed = false
		for id := range stuck {
			to := w.waits[id]
			if to.by != 0 && goesOn(to.by) || slices.ContainsFunc(to.owners, goesOn) || slices.ContainsFunc(w.helpers[id], goesOn) {
				delete(stuck, id)
				changed = true
			}
		}
	}
	return stuck
}
