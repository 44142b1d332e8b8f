package record

import (
	"math/rand/v2"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// To read the clock at every end would cost more than all the rest of it: once
// a site has enough times to tell what is usual, one end in so many gives its
// time, on average. At random, as a program may do things in turn.
const heldShare = 64

// noteHeld notes for how long something was held that was opened with the stack
// at the time. It is for the goroutine that uses the connection.
func (c *Conn) noteHeld(s *callstack.Stack, at time.Duration) {
	if c.untaken--; c.untaken < 0 || !s.KnowsHeld.Load() {
		c.takeHeld(s, at)
	}
}

//go:noinline
func (c *Conn) takeHeld(s *callstack.Stack, at time.Duration) {
	if c.untaken < 0 {
		c.untaken = rand.Int32N(2 * heldShare)
	}
	s.AddHeld(c.pool.now() - at)
}
