package main

import "database/sql"

// mainDepth is the caller depth of the main tables.
const mainDepth = 30

// A level is one function of a deep stack. It calls the first of the rest.
type level func(rest []level)

// levels differ in kind and in the size of their frames, as the functions of
// a real stack do.
var levels = []level{plain, handler{}.serve, generic[string], large, closure(nil), generic[int], deferring}

// outside is how many frames of a measured stack are no levels: two of the
// goroutine's start, two of the loop, the site and the operation.
const outside = 6

// deepStack is a path to f on which an operation that f calls has depth
// callers, up to the start of the goroutine. variant chooses among 2 to the
// power of 16 paths.
func deepStack(depth int, variant uint16, f func()) []level {
	path := make([]level, 0, depth)
	for i := range depth - outside {
		step := i
		if i < 16 {
			step += int(variant >> i & 1)
		}
		path = append(path, levels[step%len(levels)])
	}
	return append(path, func([]level) { f() })
}

// sites call an operation each from a line of its own: an application has
// more than one place that queries a pool.
var sites = []func(operation, *sql.DB) error{
	site[[1]byte], site[[2]byte], site[[3]byte], site[[4]byte],
	site[[5]byte], site[[6]byte], site[[7]byte], site[[8]byte],
}

// site is compiled for each T.
//
//go:noinline
func site[T any](op operation, db *sql.DB) error { return op.run(db) }

//go:noinline
func plain(rest []level) { rest[0](rest[1:]) }

type handler struct{ _ [4]int }

//go:noinline
func (handler) serve(rest []level) { rest[0](rest[1:]) }

//go:noinline
func generic[T any](rest []level) { rest[0](rest[1:]) }

//go:noinline
func large(rest []level) {
	var buffer [256]byte
	rest[0](rest[1:])
	sink(&buffer)
}

//go:noinline
func sink(*[256]byte) {}

// closure returns a level that refers to a variable.
func closure(buffer *[256]byte) level {
	return func(rest []level) {
		rest[0](rest[1:])
		sink(buffer)
	}
}

//go:noinline
func deferring(rest []level) {
	defer sink(nil)
	rest[0](rest[1:])
}
