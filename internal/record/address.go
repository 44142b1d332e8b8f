package record

import (
	"sync/atomic"

	"github.com/dbleaks-go/dbleaks/internal/goroutines"
)

// address is where a pool's *sql.DB lies, to be compared with what a dump of
// all goroutines says. It is no pointer: it keeps nothing alive.
type address struct {
	db    atomic.Uintptr
	asked atomic.Bool
}

// SetDB tells where the pool's *sql.DB lies.
func (p *Pool) SetDB(db uintptr) {
	if p != nil {
		p.address.db.Store(db)
	}
}

// DB is where the pool's *sql.DB lies; 0 if that isn't known.
func (p *Pool) DB() uintptr { return p.address.db.Load() }

// learnDB looks for the *sql.DB that has a connection opened, if nobody has
// told, on the calling goroutine's stack. It does so once.
func (p *Pool) learnDB() {
	if p.address.db.Load() == 0 && p.address.asked.CompareAndSwap(false, true) {
		p.SetDB(goroutines.CallingDB())
	}
}
