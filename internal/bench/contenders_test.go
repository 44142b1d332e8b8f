package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
)

var errPlanned = errors.New("planned")

// open opens a contender on a driver whose calls with the text "fail" do.
func open(t *testing.T, c contender) *sql.DB {
	t.Helper()
	db := c.open(&nopdriver.Connector{Before: func(_ context.Context, _, query string) error {
		if query == "fail" {
			return errPlanned
		}
		return nil
	}})
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// transcript is what an application sees of a DB.
func transcript(db *sql.DB) string {
	var b strings.Builder
	say := func(what string, err error, values ...any) {
		fmt.Fprintf(&b, "%s: %v, %v, planned %v\n", what, values, err, errors.Is(err, errPlanned))
	}
	for _, op := range operations {
		say(op.name, op.run(db))
	}
	for _, q := range []string{"rows 3", "rows 0", "rows none", "fail"} {
		values, err := read(db.Query(q))
		say(q, err, values...)
		var n int
		err = db.QueryRow(q).Scan(&n)
		say("row of "+q, err, n)
	}
	for _, q := range []string{"update", "fail"} {
		r, err := db.Exec(q)
		if err != nil {
			say(q, err)
			continue
		}
		n, err := r.RowsAffected()
		say(q, err, n)
	}
	tx, err := db.Begin()
	say("begin", err)
	values, err := read(tx.Query("rows 2"))
	say("in a transaction", err, values...)
	say("rollback", tx.Rollback())
	say("rollback again", tx.Rollback())
	_, err = db.Prepare("fail")
	say("prepare", err)
	stmt, err := db.Prepare("rows 2")
	say("prepare", err)
	// Statements are only closed: one peer can't run those of a driver that
	// has no StmtQueryContext, and nothing here measures it.
	say("close", stmt.Close())
	say("connections", nil, db.Stats().OpenConnections, db.Stats().InUse)
	return b.String()
}

func read(rows *sql.Rows, err error) (values []any, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		values = append(values, columns, n)
	}
	return values, rows.Err()
}

// What is compared must do the same work.
func TestContendersAnswerAlike(t *testing.T) {
	want := transcript(open(t, find(contenders, nameBare)))
	for _, part := range []string{"rows 3: [[n] 3 [n] 2 [n] 1], <nil>", "update: [0], <nil>", "connections: [1 0]"} {
		if !strings.Contains(want, part) {
			t.Errorf("the bare driver doesn't answer %q:\n%s", part, want)
		}
	}
	for _, c := range contenders[1:] {
		t.Run(c.name, func(t *testing.T) {
			if got := transcript(open(t, c)); got != want {
				t.Errorf("it answers\n%s\nthe bare driver\n%s", got, want)
			}
		})
	}
}
