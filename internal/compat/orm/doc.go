// Package orm runs wrapped drivers below the libraries that applications put
// on top of database/sql, on real databases. It has tests only, and is a
// module of its own for the sake of what those link.
package orm
