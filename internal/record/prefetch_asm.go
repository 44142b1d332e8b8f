//go:build amd64 || arm64

package record

// prefetch has the processor fetch c from memory while it does something else.
//
//go:noescape
func prefetch(c *Conn)
