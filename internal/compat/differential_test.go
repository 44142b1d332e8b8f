package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// A program can't tell a wrapped driver from the bare one: the values and
// errors that it gets, and their types, are the same.
func TestWrappedAsBare(t *testing.T) {
	onEach(t, backends, func(t *testing.T, b *backend) {
		t.Parallel()
		source := b.dsn(t)
		bare, err := sql.Open(b.driver, source)
		if err != nil {
			t.Fatal(err)
		}
		want := transcribe(t, b, bare)

		tr, err := tracker.New()
		if err != nil {
			t.Fatal(err)
		}
		wrapped, err := driverwrap.Open(b.driver, source, driverwrap.WithTracker(tr))
		if err != nil {
			t.Fatal(err)
		}
		got := transcribe(t, b, wrapped)
		tr.AssertNoLeaks(t, tracker.IncludeDBs())

		for i := range max(len(want), len(got)) {
			if i >= len(want) || i >= len(got) || want[i] != got[i] {
				t.Fatalf("step %d differs\nbare:    %q\nwrapped: %q", i, want[min(i, len(want)):], got[min(i, len(got)):])
			}
		}
	})
}

// transcript is what a program that uses db gets to see.
type transcript struct {
	*backend
	ctx   context.Context
	db    *sql.DB
	lines []string
}

// transcribe runs the program. It has one connection, and a table that goes
// with it.
func transcribe(t *testing.T, b *backend, db *sql.DB) []string {
	t.Helper()
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	db.SetMaxOpenConns(1)
	p := &transcript{backend: b, ctx: t.Context(), db: db}
	p.note("driver", reflect.TypeOf(db.Driver()), db.PingContext(p.ctx))
	p.exec("CREATE TEMPORARY TABLE thing (id INTEGER PRIMARY KEY, name VARCHAR(20), price DECIMAL(10,2), at TIMESTAMP NULL, raw " + p.blob + ")")
	p.arguments()
	p.queries()
	p.statements()
	p.transactions()
	p.contexts()
	p.rawConn()
	return p.lines
}

// note writes a line. Errors are shown with the types of all that they wrap.
func (p *transcript) note(what string, results ...any) {
	line := what + ":"
	for _, r := range results {
		if err, ok := r.(error); ok {
			line += fmt.Sprintf(" error %q", err)
			for ; err != nil; err = errors.Unwrap(err) {
				line += fmt.Sprintf(" %T", err)
			}
			continue
		}
		line += fmt.Sprintf(" %T(%v)", r, r)
	}
	p.lines = append(p.lines, line)
}

func (p *transcript) exec(query string, args ...any) {
	r, err := p.db.ExecContext(p.ctx, p.bind(query), args...)
	if err != nil {
		p.note(query, err)
		return
	}
	n, err := r.RowsAffected()
	id, errID := r.LastInsertId()
	p.note(query, n, err, id, errID)
}

// query notes the columns and all values of all result sets.
func (p *transcript) query(query string, args ...any) {
	p.rows(query)(p.db.QueryContext(p.ctx, p.bind(query), args...))
}

func (p *transcript) rows(what string) func(*sql.Rows, error) {
	return func(rows *sql.Rows, err error) {
		if err != nil {
			p.note(what, err)
			return
		}
		defer rows.Close()
		for {
			p.columns(rows)
			for rows.Next() {
				p.values(rows)
			}
			if !rows.NextResultSet() {
				break
			}
		}
		p.note(what, rows.Err(), rows.Close())
	}
}

func (p *transcript) columns(rows *sql.Rows) {
	types, err := rows.ColumnTypes()
	p.note("columns", err)
	for _, c := range types {
		length, hasLength := c.Length()
		nullable, knowsNullable := c.Nullable()
		precision, scale, hasScale := c.DecimalSize()
		p.note(c.Name(), c.DatabaseTypeName(), c.ScanType(), length, hasLength, nullable, knowsNullable, precision, scale, hasScale)
	}
}

func (p *transcript) values(rows *sql.Rows) {
	columns, err := rows.Columns()
	values := make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	err = errors.Join(err, rows.Scan(into...))
	p.note("values", append(slices.Clip(values), err)...)
}

// arguments goes through what can be given to a query, and what can't.
func (p *transcript) arguments() {
	p.exec("INSERT INTO thing VALUES (?, ?, ?, ?, ?)", 1, "one", "1.50", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), []byte{0, 1})
	p.exec("INSERT INTO thing VALUES (?, ?, ?, ?, ?)", int8(2), nil, 2.5, sql.NullTime{}, []byte(nil))
	p.exec("INSERT INTO thing VALUES (?, ?, NULL, NULL, NULL)", uint64(3), sql.NullString{String: "three", Valid: true})
	p.exec("INSERT INTO thing VALUES (1, 'again', NULL, NULL, NULL)") // the key is taken
	p.exec("INSERT INTO thing (id) VALUES (?)")                       // arguments missing
	p.exec("INSERT INTO thing (id) VALUES (?)", 4, 5)
	p.exec("INSERT INTO thing (id) VALUES (?)", "no number")
	p.exec("INSERT INTO thing (id) VALUES (?)", sql.Named("id", 5))
	p.exec("INSERT INTO thing (id) VALUES (?)", ^uint64(0))
	p.exec("INSERT INTO thing (id) VALUES (?)", struct{}{})
	p.exec("INSERT INTO thing (id, name) VALUES (6, ?)", []string{"a", "b"})
	p.exec("INSERT INTO thing (id, name) VALUES (7, ?)", sql.Out{})
	p.exec("UPDATE thing SET name = 'all'")
}

func (p *transcript) queries() {
	p.query("SELECT * FROM thing ORDER BY id")
	p.query("SELECT * FROM thing WHERE id = ?", 1)
	p.query("SELECT COUNT(*), MAX(price), 1.5, 'text', NULL FROM thing")
	p.query("SELECT 1; SELECT 2")
	p.query("SELECT nothing FROM nowhere")
	p.query("")
	p.note("no rows", p.db.QueryRow("SELECT id FROM thing WHERE id < 0").Scan(new(int)))
	p.note("two columns", p.db.QueryRow("SELECT id, name FROM thing").Scan(new(int)))
	p.note("no time", p.db.QueryRow("SELECT id FROM thing").Scan(new(time.Time)))
	var raw sql.RawBytes
	p.note("raw bytes", p.db.QueryRow("SELECT name FROM thing").Scan(&raw))
}

func (p *transcript) statements() {
	_, err := p.db.Prepare("SELECT nothing FROM nowhere")
	p.note("prepare", err)
	stmt, err := p.db.Prepare(p.bind("SELECT name, raw FROM thing WHERE id = ?"))
	p.note("prepare", err)
	if err != nil {
		return
	}
	for _, args := range [][]any{{1}, {2}, {}, {"x"}, {struct{}{}}} {
		p.rows("statement")(stmt.QueryContext(p.ctx, args...))
	}
	p.note("close", stmt.Close(), stmt.Close())
	_, err = stmt.Query(1)
	p.note("closed", err)
}

func (p *transcript) transactions() {
	for level := sql.LevelDefault; level <= sql.LevelLinearizable; level++ {
		for _, readOnly := range []bool{false, true} {
			tx, err := p.db.BeginTx(p.ctx, &sql.TxOptions{Isolation: level, ReadOnly: readOnly})
			p.note(fmt.Sprintf("begin %v %v", level, readOnly), err)
			if err != nil {
				continue
			}
			_, err = tx.Exec("UPDATE thing SET name = 'tx'")
			_, errItem := tx.Exec("UPDATE item SET price = price WHERE id < 0") // not of the session alone
			p.note("exec", err, errItem, tx.Commit(), tx.Rollback())
		}
	}
}

// contexts goes through contexts that have ended.
func (p *transcript) contexts() {
	canceled, cancel := context.WithCancel(p.ctx)
	cancel()
	expired, cancel := context.WithDeadline(p.ctx, time.Unix(0, 0))
	defer cancel()
	for _, ctx := range []context.Context{canceled, expired} {
		_, errQuery := p.db.QueryContext(ctx, "SELECT 1")
		_, errBegin := p.db.BeginTx(ctx, nil)
		_, errPrepare := p.db.PrepareContext(ctx, "SELECT 1")
		p.note("ended", errQuery, errBegin, errPrepare, p.db.PingContext(ctx))
		tx, err := p.db.Begin()
		if err != nil {
			p.note("begin", err)
			continue
		}
		_, errExec := tx.ExecContext(ctx, "SELECT 1")
		p.note("in a transaction", errExec, tx.Rollback())
	}
}

// rawConn: what is below the wrapper is the driver's own.
func (p *transcript) rawConn() {
	conn, err := p.db.Conn(p.ctx)
	p.note("conn", err)
	if err != nil {
		return
	}
	err = conn.Raw(func(c any) error {
		p.note("raw", reflect.TypeOf(driverwrap.Unwrap(c)))
		return errors.New("of the callback")
	})
	p.note("raw", err, conn.Close(), conn.Close())
}
