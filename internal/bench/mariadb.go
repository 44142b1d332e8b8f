package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/dbleaks-go/dbleaks/internal/dbserver"
)

const (
	// clients is how many goroutines use the server at a time.
	clients = 4
	// items is the number of rows in the table.
	items = 100
)

// nameAgain is the bare driver a second time: what it differs by is noise.
const nameAgain = "bare again"

// requests are what an application asks a server for.
var requests = []operation{
	{"PointQuery", "QueryRow of one row by its key", 1, func(db *sql.DB) error {
		var name string
		return db.QueryRow("SELECT name FROM item WHERE id = ?", 42).Scan(&name)
	}},
	{"List", fmt.Sprintf("Query of %d rows", items), 1, list},
	{"Update", "BeginTx, UPDATE, Commit", 1, update},
}

func list(db *sql.DB) error {
	rows, err := db.Query("SELECT id, name FROM item")
	if err != nil {
		return err
	}
	defer rows.Close()
	var id int
	var name string
	for rows.Next() {
		if err := rows.Scan(&id, &name); err != nil {
			return err
		}
	}
	return rows.Err()
}

func update(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if _, err := tx.Exec("UPDATE item SET n = n + 1 WHERE id = ?", rand.IntN(items)); err != nil {
		return err
	}
	return tx.Commit()
}

// traffic is what a slice of requests was answered with.
type traffic struct {
	perSecond, p50, p99, cpu float64 // times in microseconds, CPU for each request
}

// mariadb measures a private server with and without dbleaks and prints the
// difference.
func mariadb(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	server, err := dbserver.StartMariaDB(ctx, dbserver.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	db, err := openWith(server, sql.OpenDB)
	if err != nil {
		return err
	}
	if err := errors.Join(fill(ctx, db), db.Close()); err != nil {
		return err
	}
	// Where a connection's buffers lie, and which threads the server has for it,
	// makes a difference of a percent that stays: each round has others.
	rounds := o.passes
	if o.quick {
		rounds = 1
	}
	for _, r := range requests {
		all := make(map[string][]traffic)
		for round := range rounds {
			fmt.Fprintf(stderr, "mariadb: %s, round %d of %d\n", r.unit, round+1, rounds)
			if err := trafficRound(ctx, server, r, o, round, all); err != nil {
				return err
			}
		}
		printTraffic(stdout, r.unit, all)
	}
	return nil
}

// passesOfRound is how often each contender has its turn on its connections.
const passesOfRound = 20

// trafficRound opens a DB for each contender and adds what they took to all.
func trafficRound(ctx context.Context, server *dbserver.Server, r operation, o options, round int, all map[string][]traffic) (err error) {
	names := []string{nameBare, nameAgain, nameDbleaks}
	opens := []func(driver.Connector) *sql.DB{sql.OpenDB, sql.OpenDB, watched}
	dbs := make([]*sql.DB, len(names))
	for _, i := range order(round, len(names)) {
		if dbs[i], err = openWith(server, opens[i]); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, dbs[i].Close()) }()
	}
	for pass := range passesOfRound + 1 {
		for _, i := range order(round*passesOfRound+pass, len(names)) {
			t, err := ask(ctx, dbs[i], r, o.slice)
			if err != nil {
				return err
			}
			if pass > 0 { // the first warms up
				all[names[i]] = append(all[names[i]], t)
			}
		}
	}
	return nil
}

func openWith(server *dbserver.Server, open func(driver.Connector) *sql.DB) (*sql.DB, error) {
	c, err := connectorFor(server)
	if err != nil {
		return nil, err
	}
	db := open(c)
	db.SetMaxIdleConns(clients)
	return db, nil
}

func connectorFor(server *dbserver.Server) (driver.Connector, error) {
	cfg, err := mysql.ParseDSN(server.DSN)
	if err != nil {
		return nil, err
	}
	cfg.InterpolateParams = true // one round trip for a query with arguments
	return mysql.NewConnector(cfg)
}

func fill(ctx context.Context, db *sql.DB) error {
	values := make([]string, items)
	for i := range values {
		values[i] = fmt.Sprintf("(%d, 'item %d', 0)", i, i)
	}
	for _, q := range []string{
		"CREATE TABLE item (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, n INTEGER NOT NULL)",
		"INSERT INTO item VALUES " + strings.Join(values, ", "),
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// ask sends requests for a time, each client one after another.
func ask(ctx context.Context, db *sql.DB, r operation, slice time.Duration) (traffic, error) {
	var running sync.WaitGroup
	took := make([][]float64, clients)
	errs := make([]error, clients)
	start, cpu := time.Now(), cpuTime()
	for i := range clients {
		path := deepStack(mainDepth, 0, func() {
			for now := start; now.Sub(start) < slice && errs[i] == nil; {
				errs[i] = errors.Join(ctx.Err(), r.run(db))
				end := time.Now()
				took[i] = append(took[i], float64(end.Sub(now))/1e3)
				now = end
			}
		})
		running.Go(func() { path[0](path[1:]) })
	}
	running.Wait()
	cpu = cpuTime() - cpu
	wall := time.Since(start)
	var all []float64
	for _, t := range took {
		all = append(all, t...)
	}
	n := float64(len(all))
	return traffic{n / wall.Seconds(), quantile(all, 0.5), quantile(all, 0.99), float64(cpu) / 1e3 / n}, errors.Join(errs...)
}

// printTraffic prints the medians over the passes, and the ratios with their
// intervals.
func printTraffic(w io.Writer, what string, all map[string][]traffic) {
	columns := []func(traffic) float64{
		func(t traffic) float64 { return t.perSecond },
		func(t traffic) float64 { return t.p50 },
		func(t traffic) float64 { return t.p99 },
		func(t traffic) float64 { return t.cpu },
	}
	values := func(name string, of func(traffic) float64) (out []float64) {
		for _, t := range all[name] {
			out = append(out, of(t))
		}
		return out
	}
	t := table{head: []string{what, "per second", "p50 µs", "p99 µs", "client CPU µs"}}
	for _, name := range []string{nameBare, nameDbleaks} {
		row := []string{name}
		for _, of := range columns {
			row = append(row, threeDigits(median(values(name, of))))
		}
		t.add(row...)
	}
	for _, name := range []string{nameDbleaks, nameAgain} {
		row := []string{name + ", × bare"}
		for _, of := range columns {
			r := ratios(values(name, of), values(nameBare, of))
			low, high := interval(r)
			row = append(row, fmt.Sprintf("%.3f (%.3f–%.3f)", median(r), low, high))
		}
		t.add(row...)
	}
	t.write(w)
}
