//go:build amd64 && !race

package record

// publish stores v with release semantics: on amd64 every plain store has
// them, but only of assembly the compiler knows not to touch.
//
//go:noescape
func storeRelease(addr *uint64, v uint64)

func (p *published) publish(v uint64) { storeRelease(&p.v, v) }

// count is publish for words that say nothing of other memory: a reader that
// sees it late is as good as one that looked earlier.
func (p *published) count(v uint64) { p.v = v }
