package record

import "sync/atomic"

// A published word is written by one goroutine at a time, which thereby shows
// readers what it wrote before. Stores of sync/atomic would do, but also order
// the store before later loads, for which nothing here asks: on amd64 that
// costs an instruction of twenty cycles, some ten times per query.
type published struct {
	_ [0]atomic.Uint64 // aligned like one, on 32-bit systems too
	v uint64
}

// load is for readers.
func (p *published) load() uint64 { return atomic.LoadUint64(&p.v) }

// own is for the goroutine that writes.
func (p *published) own() uint64 { return p.v }

// withdraw is publish for what readers may go on to believe until the next
// exchange: what the flags showed stays as it is until then.
func (p *published) withdraw(v uint64) { p.count(v) }

// exchange publishes v before anything is loaded afterwards.
func (p *published) exchange(v uint64) { atomic.StoreUint64(&p.v, v) }

// The flags of Conn.state.
const (
	acquiring = 1 << iota // acq is being written
	inUse                 // the connection is out of the pool: acq is valid
	firstOpen             // first is valid
	watched               // a Conn was acquired, with a context that can end
)
