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

// takesHeld reports whether the time is to be taken for which something was held
// that was opened with the stack. It and the others are for the goroutine that
// uses the connection.
func (c *Conn) takesHeld(s *callstack.Stack) bool {
	c.untaken--
	return c.untaken < 0 || !s.KnowsHeld.Load()
}

// takeHeld takes it.
func (c *Conn) takeHeld(s *callstack.Stack, at time.Duration) {
	if c.untaken < 0 {
		c.untaken = rand.Int32N(2 * heldShare)
	}
	s.AddHeld(c.pool.now() - at)
}

// takeHeldLocked does both for a handle that ends now.
func (c *Conn) takeHeldLocked(h *Handle) {
	if h.kind != KindStmt && c.takesHeld(h.Stack) {
		c.takeHeld(h.Stack, h.At)
	}
}
