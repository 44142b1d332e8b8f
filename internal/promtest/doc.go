// Package promtest has tests of what httpdebug says to Prometheus: a real one
// scrapes it and is asked for what it has seen, and the parser that others use
// reads it. It is a module of its own so that users need none of that.
package promtest
