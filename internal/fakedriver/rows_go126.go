//go:build !go1.27

package fakedriver

var rowsVariants = commonRowsVariants
