package driverwrap_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/internal/record"
)

// stateError is like those of PostgreSQL's drivers.
type stateError string

func (e stateError) Error() string    { return "server error " + string(e) }
func (e stateError) SQLState() string { return string(e) }

// onRaw calls what is not called by database/sql.
func onRaw(use func(dc any) error) func(*sql.DB) error {
	return func(db *sql.DB) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		return conn.Raw(use)
	}
}

// TestRefused: the error of whatever asks the database is told once, and is the
// driver's own.
func TestRefused(t *testing.T) {
	const modern = fakedriver.OnConn | fakedriver.OnStmt
	exec := func(db *sql.DB) error { _, err := db.Exec("x"); return err }
	query := func(db *sql.DB) error {
		rows, err := db.Query("x")
		if err != nil {
			return err
		}
		defer rows.Close()
		rows.Next()
		return rows.Err()
	}
	begin := func(db *sql.DB) error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		return tx.Commit()
	}
	for _, tt := range []struct {
		name   string
		has    fakedriver.Set
		on     string
		method string
		use    func(db *sql.DB) error
	}{
		{"connect", modern, "connector", "Connect", exec},
		{"exec", modern, "conn", "ExecContext", exec},
		{"exec of a legacy driver", fakedriver.Execer | fakedriver.Queryer, "conn", "Exec", exec},
		{"exec of a statement", fakedriver.StmtExecContext | fakedriver.StmtQueryContext, "stmt", "ExecContext", exec},
		{"exec of a legacy statement", 0, "stmt", "Exec", exec},
		{"query", modern, "conn", "QueryContext", query},
		{"query of a legacy driver", fakedriver.Execer | fakedriver.Queryer, "conn", "Query", query},
		{"query of a statement", fakedriver.StmtExecContext | fakedriver.StmtQueryContext, "stmt", "QueryContext", query},
		{"query of a legacy statement", 0, "stmt", "Query", query},
		{"row", modern, "rows", "Next", query},
		{"prepare", modern, "conn", "PrepareContext", func(db *sql.DB) error { _, err := db.Prepare("x"); return err }},
		{"prepare of a legacy driver", 0, "conn", "Prepare", func(db *sql.DB) error { _, err := db.Prepare("x"); return err }},
		{"begin", modern, "conn", "BeginTx", begin},
		{"begin of a legacy driver", 0, "conn", "Begin", begin},
		{"commit", modern, "tx", "Commit", begin},
		{"legacy exec on the connection", modern, "conn", "Exec", onRaw(func(dc any) error {
			_, err := dc.(driver.Execer).Exec("x", nil) //lint:ignore SA1019 what is tested
			return err
		})},
		{"legacy query on the connection", modern, "conn", "Query", onRaw(func(dc any) error {
			_, err := dc.(driver.Queryer).Query("x", nil) //lint:ignore SA1019 what is tested
			return err
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := fakedriver.New(tt.has, nil)
				tr := newTracker(t)
				db := driverwrap.OpenDB(fake.Connector(), driverwrap.WithTracker(tr))
				defer db.Close()
				for _, e := range []struct {
					err  error
					want int
				}{{stateError("42601"), 0}, {context.Canceled, 0}, {stateError("53300"), 1}} {
					fake.Script(fakedriver.Rule{On: tt.on, Method: tt.method, Answer: fakedriver.Answer{Err: e.err}})
					if err := tt.use(db); err != e.err {
						t.Errorf("%v became %v", e.err, err)
					}
					r := tr.Snapshot().Refusals
					if len(r) != e.want || e.want > 0 && (r[0].Count != 1 || r[0].Code != "SQLSTATE 53300") {
						t.Errorf("after %v: %+v", e.err, r)
					}
				}
				time.Sleep(2 * time.Minute)
				if r := tr.Snapshot().Refusals; len(r) != 1 || !r[0].Over {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

// TestRefusedOnce: what a probe sees too is told, and what two wrappers see, with
// one of another package in between, is told once.
func TestRefusedOnce(t *testing.T) {
	for _, tt := range []struct {
		name  string
		probe record.Probe
		twice bool
	}{
		{"no probe", nil, false}, {"probe", &counter{}, false}, {"twice", nil, true}, {"twice, with a probe", &counter{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fake := fakedriver.New(0, nil)
			tr := newTracker(t)
			opts := []driverwrap.Option{driverwrap.WithTracker(tr), driverwrap.WithProbe(tt.probe), driverwrap.WithName("shop")}
			c := fake.Connector()
			if tt.twice {
				c = settingConnector{driverwrap.WrapConnector(c, append(opts, driverwrap.WithName("inner"))...)}
			}
			db := driverwrap.OpenDB(c, opts...)
			defer db.Close()
			fake.Script(fakedriver.Rule{Method: "Connect", Answer: fakedriver.Answer{Err: stateError("53300")}})
			if err := db.Ping(); !errors.Is(err, stateError("53300")) {
				t.Error(err)
			}
			if r := tr.Snapshot().Refusals; len(r) != 1 || r[0].Pool != "shop" || r[0].Count != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestRefusedOff: a tracker that was closed isn't told.
func TestRefusedOff(t *testing.T) {
	fake := fakedriver.New(0, nil)
	tr := newTracker(t)
	db := driverwrap.OpenDB(fake.Connector(), driverwrap.WithTracker(tr))
	defer db.Close()
	tr.Close()
	fake.Script(fakedriver.Rule{Method: "Connect", Answer: fakedriver.Answer{Err: stateError("53300")}})
	if err := db.Ping(); err != stateError("53300") {
		t.Error(err)
	}
	if r := tr.Snapshot().Refusals; len(r) > 0 {
		t.Errorf("%+v", r)
	}
}

// TestErrorsAllocateNothing: neither success nor an error of every day costs an
// allocation more than without the wrapper, of which there is none.
func TestErrorsAllocateNothing(t *testing.T) {
	for _, result := range []error{nil, driver.ErrSkip, driver.ErrBadConn, stateError("23505"), errors.New("other")} {
		c := &nopdriver.Connector{Before: func(_ context.Context, call, _ string) error {
			if call == "exec" {
				return result
			}
			return nil
		}}
		db := driverwrap.OpenDB(c, driverwrap.WithTracker(newTracker(t)))
		err := onRaw(func(dc any) error {
			conn := dc.(driver.ExecerContext)
			if n := testing.AllocsPerRun(100, func() { conn.ExecContext(ctx, "UPDATE item SET n = 0", nil) }); n != 0 {
				t.Errorf("%v: %v allocations", result, n)
			}
			return nil
		})(db)
		if err != nil {
			t.Error(err)
		}
		db.Close()
	}
}
