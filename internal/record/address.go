package record

import (
	"reflect"
	"sync/atomic"

	"github.com/dbleaks-go/dbleaks/internal/goroutines"
)

// address is where a pool's *sql.DB lies, and the import path of its driver, to
// be compared with what a dump of all goroutines says. It is no pointer: it
// keeps nothing alive.
type address struct {
	db     atomic.Uintptr
	asked  atomic.Bool
	driver atomic.Pointer[string]
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

// SetDriver tells what the pool's driver, or its connector, is.
func (p *Pool) SetDriver(of any) {
	t := reflect.TypeOf(of)
	if p == nil || t == nil {
		return
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	pkg := t.PkgPath()
	p.address.driver.Store(&pkg)
}

// DriverPackage is the import path of the driver; empty if that isn't known.
func (p *Pool) DriverPackage() string {
	if pkg := p.address.driver.Load(); pkg != nil {
		return *pkg
	}
	return ""
}
