//go:build !go1.27

package driverwrap_test

var scannerMutations []mutation
