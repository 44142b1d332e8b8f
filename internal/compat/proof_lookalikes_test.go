package compat

import (
	"sync/atomic"
	"testing"
)

// What somebody will come back to is never leaked, wherever it is kept.
func TestNotProvenWhileKept(t *testing.T) {
	needLeakProfile(t)
	onEach(t, backends, func(t *testing.T, b *backend) {
		kinds := map[string]func(a *app) func() error{"tx": beginToKeep}
		if b == mysqlBackend || b == sqliteBackend { // they keep rows in different ways
			kinds["rows"] = queryToKeep
		}
		for kind, open := range kinds {
			for _, k := range keepers {
				t.Run(kind+" "+k.name, func(t *testing.T) {
					t.Parallel()
					a := newApp(t, b)
					var ended atomic.Bool
					k.keep(t, endOf(a, open, &ended))
					a.prove(ended.Load)
					a.verify()
				})
			}
		}
	})
}

// endOf opens a handle and returns what gives it back.
func endOf(a *app, open func(*app) func() error, ended *atomic.Bool) (end func()) {
	t, closeIt := a.t, open(a)
	return func() {
		if err := closeIt(); err != nil {
			t.Error(err)
		}
		ended.Store(true)
	}
}

func beginToKeep(a *app) func() error {
	tx, err := a.db.Begin()
	a.must(err)
	return tx.Commit
}

func queryToKeep(a *app) func() error {
	rows, err := a.db.Query("SELECT id FROM item")
	a.must(err)
	rows.Next()
	return rows.Close
}
