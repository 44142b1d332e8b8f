package record

import "time"

// arm makes sure that the pool will be swept.
func (p *Pool) arm() {
	if !p.armed.Load() {
		p.startTimer()
	}
}

func (p *Pool) startTimer() {
	// A timer made in a testing/synctest bubble dies with it: whoever doesn't
	// share the pool's time leaves the arming to others.
	if now, shared := p.clock.now(); shared && p.armed.CompareAndSwap(false, true) {
		p.lastTick.Store(int64(now))
		p.schedule()
	}
}

// schedule starts a timer of its own for each sweep: one that was made in a
// testing/synctest bubble must not be touched from outside of it.
func (p *Pool) schedule() { time.AfterFunc(p.reg.interval(), p.tick) }

func (p *Pool) tick() {
	again := true // also if an observer ends the goroutine
	defer func() { p.ticked(again) }()
	again = p.sweepOnce()
}

func (p *Pool) ticked(again bool) {
	if again && !p.reg.Off() {
		p.schedule()
		return
	}
	p.armed.Store(false)
	// What was acquired or given back meanwhile saw the pool armed.
	if !p.reg.Off() && p.hasWork() && (!p.clock.bubbled() || p.pending()) {
		p.arm()
	}
}

// sweepOnce reports whether the pool needs another sweep.
func (p *Pool) sweepOnce() (again bool) {
	defer func() {
		// Whatever goes wrong in here, the application must not hear of it.
		if recover() != nil {
			again = !p.reg.Off()
		}
	}()
	before := p.activity()
	again = p.reg.sweep(p)
	if p.reg.Off() {
		return false
	}
	if again || !p.hasWork() {
		return again
	}
	// In a bubble, time passes only when everybody waits: sweeping on would
	// turn a deadlock, which synctest reports, into an endless loop. Once
	// nothing moves and everything is said, leave it at that.
	return !p.clock.bubbled() || p.activity() != before || p.pending()
}

// hasWork reports whether a connection is in use or an end is to be told.
func (p *Pool) hasWork() bool {
	if p.untold() {
		return true
	}
	for _, c := range p.list() {
		if c.inUse() {
			return true
		}
	}
	return false
}

// untold reports whether the end of a reported handle is to be told.
func (p *Pool) untold() bool {
	p.endMu.Lock()
	defer p.endMu.Unlock()
	return len(p.ended) > 0
}

// activity changes when any connection of the pool is used.
func (p *Pool) activity() (sum uint64) {
	for _, c := range p.list() {
		sum += c.calls.load()
	}
	return sum
}

// pending reports whether an end is to be told, or a handle in use may still
// become overdue: somebody used it in the last day.
func (p *Pool) pending() bool {
	if p.untold() {
		return true
	}
	const patience = 24 * time.Hour
	now := p.now()
	for _, c := range p.list() {
		state := c.startReading()
		waiting := state == acquiring || state != 0 && now-c.activeAt < patience
		c.stopReading()
		if waiting {
			return true
		}
	}
	return false
}
