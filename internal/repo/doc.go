// Package repo holds the tests of the repository's own rules: which package
// may import which, and what has to be documented. It has no code.
package repo
