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
func (p *Pool) schedule() {
	wait := p.reg.interval()
	if p.soon.Swap(false) {
		wait = min(wait, contextGrace)
	}
	time.AfterFunc(wait, p.tick)
}

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
	if !p.reg.Off() && p.hasWork() {
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
	again = p.reg.sweep(p)
	return !p.reg.Off() && (again || p.hasWork())
}

// hasWork reports whether an end, or a refusal, is to be told, or a connection
// needs to be looked at again.
func (p *Pool) hasWork() bool {
	if p.untold() || len(p.Refusals()) > 0 {
		return true
	}
	now := p.now()
	for _, c := range p.list() {
		if c.hasWork(now) {
			return true
		}
	}
	return false
}

// hasWork reports whether the connection is in use, or was while the last sweep
// looked at it, or before, and that left something to tell or to forget.
func (c *Conn) hasWork(now time.Duration) bool {
	state := c.startReading()
	defer c.stopReading()
	switch {
	case c.sessionHasWork(now):
		return true
	case len(c.endings) > 0 || c.slotHasWork() || state == acquiring:
		return true
	case state == 0:
		return c.reported.Load() || c.first.young != nil
	case !c.pool.clock.bubbled():
		return true
	}
	// In a bubble, time passes only when everybody waits: sweeping on would
	// turn a deadlock, which synctest reports, into an endless loop. Once
	// nothing moves and nothing can become overdue any more, because nobody
	// used it for a day, leave it at that.
	const patience = 24 * time.Hour
	return c.calls.load() != c.seenCalls || now-c.activeAt < patience
}

// untold reports whether the end of a reported handle is to be told.
func (p *Pool) untold() bool {
	p.endMu.Lock()
	defer p.endMu.Unlock()
	return len(p.ended) > 0
}
