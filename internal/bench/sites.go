package main

import "database/sql"

// sites run an operation, each from a line of its own: an application has more
// than one place that uses a pool. The frames of the first eight differ in
// size, as those of functions mostly do. Those of the others don't: nothing but
// one return address tells the stacks apart.
var sites = []func(operation, *sql.DB) error{
	site1, site2, site3, site4, site5, site6, site7, site8,
	twin1, twin2, twin3, twin4, twin5, twin6, twin7, twin8,
}

//go:noinline
func site1(op operation, db *sql.DB) error {
	var buffer [16]byte
	err := op.run(db)
	sink(buffer[:])
	return err
}

//go:noinline
func site2(op operation, db *sql.DB) error {
	var buffer [32]byte
	err := op.run(db)
	sink(buffer[:])
	return err
}

//go:noinline
func site3(op operation, db *sql.DB) error {
	var buffer [48]byte
	err := op.run(db)
	sink(buffer[:])
	return err
}

//go:noinline
func site4(op operation, db *sql.DB) error {
	var buffer [64]byte
	err := op.run(db)
	sink(buffer[:])
	return err
}

//go:noinline
func site5(op operation, db *sql.DB) error {
	var buffer [80]byte
	err := op.run(db)
	sink(buffer[:])
	return err
}

//go:noinline
func site6(op operation, db *sql.DB) error {
	var buffer [96]byte
	err := op.run(db)
	sink(buffer[:])
	return err
}

//go:noinline
func site7(op operation, db *sql.DB) error {
	var buffer [112]byte
	err := op.run(db)
	sink(buffer[:])
	return err
}

//go:noinline
func site8(op operation, db *sql.DB) error {
	var buffer [128]byte
	err := op.run(db)
	sink(buffer[:])
	return err
}

//go:noinline
func twin1(op operation, db *sql.DB) error { return op.run(db) }

//go:noinline
func twin2(op operation, db *sql.DB) error { return op.run(db) }

//go:noinline
func twin3(op operation, db *sql.DB) error { return op.run(db) }

//go:noinline
func twin4(op operation, db *sql.DB) error { return op.run(db) }

//go:noinline
func twin5(op operation, db *sql.DB) error { return op.run(db) }

//go:noinline
func twin6(op operation, db *sql.DB) error { return op.run(db) }

//go:noinline
func twin7(op operation, db *sql.DB) error { return op.run(db) }

//go:noinline
func twin8(op operation, db *sql.DB) error { return op.run(db) }
