package record_test

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"runtime"
)

// user uses a DB. It doesn't care for errors, but gives back what it has.
type user struct {
	rand *rand.Rand
	db   *sql.DB
	stmt *sql.Stmt
}

// querier is a DB, a Conn or a Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

var ctx = context.Background()

var ways = []func(u *user){
	func(u *user) { useRows(u, ctx, u.db) },
	func(u *user) { useRow(ctx, u.db) },
	func(u *user) { u.db.Exec("exec") },
	func(u *user) { u.db.Ping() },
	func(u *user) { usePrepared(u, ctx, u.db) },
	func(u *user) { useStmt(u, ctx, u.stmt) },
	func(u *user) { useTx(u, ctx, u.db) },
	func(u *user) { useConn(u) },
	canceled(func(u *user, ctx context.Context) { useRows(u, ctx, u.db) }),
	canceled(func(u *user, ctx context.Context) { useStmt(u, ctx, u.stmt) }),
	canceled(func(u *user, ctx context.Context) { useTx(u, ctx, u.db) }),
}

// canceled ends the context at some time.
func canceled(way func(u *user, ctx context.Context)) func(u *user) {
	return func(u *user) {
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		way(u, ctx)
	}
}

func useRows(u *user, ctx context.Context, q querier) {
	rows, err := q.QueryContext(ctx, "useRows")
	u.read(rows, err)
}

func useRow(ctx context.Context, q querier) {
	var n int
	q.QueryRowContext(ctx, "useRow").Scan(&n)
}

func usePrepared(u *user, ctx context.Context, q querier) {
	stmt, err := q.PrepareContext(ctx, "usePrepared")
	if err != nil {
		return
	}
	rows, err := stmt.QueryContext(ctx)
	if u.rand.IntN(2) == 0 {
		stmt.Close() // before its rows
	}
	u.read(rows, err)
	stmt.Close()
}

func useStmt(u *user, ctx context.Context, stmt *sql.Stmt) {
	rows, err := stmt.QueryContext(ctx)
	u.read(rows, err)
}

func (u *user) read(rows *sql.Rows, err error) {
	if err != nil {
		return
	}
	if u.rand.IntN(3) > 0 {
		rows.Next()
	}
	if u.rand.IntN(3) > 0 {
		runtime.Gosched()
		for rows.Next() {
		}
	}
	rows.Close()
}

// some does none to so many of the things.
func (u *user) some(most int, things ...func()) {
	for range u.rand.IntN(most + 1) {
		things[u.rand.IntN(len(things))]()
	}
}

type beginner interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

func useTx(u *user, ctx context.Context, b beginner) {
	tx, err := b.BeginTx(ctx, nil)
	if err != nil {
		return
	}
	u.some(3,
		func() { useRows(u, ctx, tx) },
		func() { useRow(ctx, tx) },
		func() { usePrepared(u, ctx, tx) },
		func() { useStmt(u, ctx, tx.Stmt(u.stmt)) },
	)
	if u.rand.IntN(2) == 0 {
		tx.Commit()
	}
	tx.Rollback()
}

func useConn(u *user) {
	conn, err := u.db.Conn(ctx)
	if err != nil {
		return
	}
	u.some(2,
		func() { useRows(u, ctx, conn) },
		func() { usePrepared(u, ctx, conn) },
		func() { useTx(u, ctx, conn) },
		func() { conn.PingContext(ctx) },
	)
	conn.Close()
}

//go:noinline
func leak(db *sql.DB) bool {
	rows, err := db.Query("leak")
	return err == nil && rows.Next()
}
