package fakedriver

import "database/sql/driver"

type tx struct {
	fake *Fake
	name string
}

func (f *Fake) newTx() driver.Tx { return &tx{fake: f, name: f.name("tx")} }

func (t *tx) Commit() error { return t.end("Commit") }

func (t *tx) Rollback() error { return t.end("Rollback") }

func (t *tx) end(method string) error {
	defer t.fake.closed(t.name)
	return t.fake.call(Call{Object: t.name, Method: method}).Err
}

// Result is what the driver answers to an Exec. It has more methods than it
// needs, as those of some drivers do.
type Result struct {
	fake *Fake
	name string
}

func (f *Fake) result(a Answer) (driver.Result, error) {
	if a.Err != nil || a.Nil {
		return nil, a.Err
	}
	name := f.name("result")
	f.closed(name) // nobody closes it
	return &Result{fake: f, name: name}, nil
}

// LastInsertId is 7, if nothing else is scripted.
func (r *Result) LastInsertId() (int64, error) { return r.get("LastInsertId", 7) }

// RowsAffected is 3, if nothing else is scripted.
func (r *Result) RowsAffected() (int64, error) { return r.get("RowsAffected", 3) }

// AllRowsAffected is a method that database/sql knows nothing of.
func (r *Result) AllRowsAffected() []int64 { return []int64{1, 2} }

func (r *Result) get(method string, n int64) (int64, error) {
	a := r.fake.call(Call{Object: r.name, Method: method})
	return or(a, n), a.Err
}
