package callstack

import (
	"time"

	"github.com/dbleaks-go/dbleaks/internal/heldtime"
)

// enoughHeld is the number of times that tell what is usual.
const enoughHeld = 1000

// AddHeld counts for how long a handle was held that was opened with the stack.
func (s *Stack) AddHeld(d time.Duration) {
	if !s.Shared {
		return // nobody would find the times
	}
	h := s.held.Load()
	if h == nil {
		s.held.CompareAndSwap(nil, new(heldtime.Histogram))
		h = s.held.Load()
	}
	if h.Add(d) == enoughHeld {
		s.KnowsHeld.Store(true)
	}
}

// Held is what was counted, or nil.
func (s *Stack) Held() *heldtime.Histogram { return s.held.Load() }
