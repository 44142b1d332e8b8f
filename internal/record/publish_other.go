//go:build !amd64 || race

package record

import "sync/atomic"

func (p *published) publish(v uint64) { atomic.StoreUint64(&p.v, v) }

func (p *published) count(v uint64) { atomic.StoreUint64(&p.v, v) }
