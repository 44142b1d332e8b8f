package main

// mainDepth is the caller depth of the main tables.
const mainDepth = 30

// A level is one function of a deep stack. It calls the first of the rest.
type level func(rest []level)

// levels differ in kind and in the size of their frames, as the functions of
// a real stack do. None is generic or a method value: the compiler puts one
// more frame between those and who calls them through a variable.
var levels = []level{plain, large, closure(nil), deferring, looping, larger, recovering}

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

//go:noinline
func plain(rest []level) { rest[0](rest[1:]) }

//go:noinline
func large(rest []level) {
	var buffer [64]byte
	rest[0](rest[1:])
	sink(buffer[:])
}

//go:noinline
func larger(rest []level) {
	var buffer [512]byte
	rest[0](rest[1:])
	sink(buffer[:])
}

//go:noinline
func sink([]byte) {}

// closure returns a level that refers to a variable.
func closure(buffer []byte) level {
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

//go:noinline
func looping(rest []level) {
	for i := range rest[:1] {
		rest[i](rest[i+1:])
	}
}

//go:noinline
func recovering(rest []level) {
	defer func() {
		if v := recover(); v != nil {
			panic(v)
		}
	}()
	rest[0](rest[1:])
}
