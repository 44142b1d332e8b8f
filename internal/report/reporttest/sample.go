// Package reporttest has what the tests of all report formats share: snapshots
// with every field set, and golden files.
package reporttest

import (
	"database/sql"
	"math"
	"reflect"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// Now is when the sample snapshots are taken.
var Now = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// Process is a fixed program for golden files.
var Process = report.Process{
	Program: "shop", PID: 4711, GoVersion: "go1.26.8", Revision: "0123456789ab+dirty",
	StartedAt: Now.Add(-3*time.Hour - 13*time.Minute),
}

const shop = "example.com/shop/"

func frame(function, file string, line int) tracker.Frame {
	return tracker.Frame{Function: function, File: file, Line: line}
}

var (
	find     = frame(shop+"store.(*Orders).Find", "/src/shop/store/orders.go", 42)
	checkout = frame(shop+"web.(*Server).checkout", "/src/shop/web/checkout.go", 118)
	items    = frame(shop+"web.(*Server).checkout.func1", "/src/shop/web/checkout.go", 131)
	export   = frame(shop+"jobs.Export", "/src/shop/jobs/export.go", 77)
	listen   = frame(shop+"jobs.(*Listener).Run", "/src/shop/jobs/listen.go", 20)
	count    = frame(shop+"store.(*Orders).Count[...]", "/src/shop/store/orders.go", 90)
	open     = frame("main.main", "/src/shop/main.go", 31)
)

func stack(method string, line int, frames ...tracker.Frame) []tracker.Frame {
	out := []tracker.Frame{frame("database/sql."+method, "/usr/local/go/src/database/sql/sql.go", line)}
	out = append(out, frames...)
	return append(out,
		frame("net/http.HandlerFunc.ServeHTTP", "/usr/local/go/src/net/http/server.go", 2322),
		frame("net/http.(*conn).serve", "/usr/local/go/src/net/http/server.go", 2118))
}

// Snapshot is a shop in trouble: each kind and state, every field set.
func Snapshot() tracker.Snapshot {
	return tracker.Snapshot{
		TakenAt:  Now,
		Since:    Now.Add(-3*time.Hour - 12*time.Minute),
		Pools:    pools(),
		Findings: findings(),
		Open:     openHandles(),
		Refusals: refusals(),
		Ended: []tracker.Ended{{
			Finding: tracker.Finding{
				ID: "e1", Kind: tracker.KindTx, State: tracker.StateRecovered, Pool: "orders",
				Site: checkout, Stack: stack("(*DB).BeginTx", 1900, checkout), Count: 2, Age: 52 * time.Second,
			},
			At: Now.Add(-10 * time.Minute), Held: 52 * time.Second, Count: 2, Gone: 1,
		}, {
			Finding: tracker.Finding{
				ID: "e2", Kind: tracker.KindRows, State: tracker.StateLeaked, Proof: tracker.ProofUnreachable, Pool: "orders",
				Site: find, Stack: stack("(*DB).QueryContext", 1755, find), Count: 3, Leaked: 3, Age: 4 * time.Minute,
			},
			At: Now.Add(-40 * time.Minute), Leaked: 3, Gone: 3,
		}},
		Totals: tracker.Totals{Reported: 11, Overdue: 9, Leaked: 3, Recovered: 4},
		Thresholds: map[tracker.Kind]time.Duration{
			tracker.KindConn: 30 * time.Second, tracker.KindTx: time.Minute, tracker.KindRows: 0,
		},
		SiteThresholds: []tracker.SiteThreshold{
			{Pattern: `/jobs\.`, Threshold: 10 * time.Minute}, {Pattern: `\.\(\*Listener\)\.Run`},
		},
		Beyond:      tracker.Beyond{Stacks: 2, Statements: 1, Findings: 3},
		LeakProfile: tracker.LeakProfile{Available: true, Asked: 12, At: Now.Add(-time.Minute), Took: 13 * time.Millisecond},
		Overhead: tracker.Overhead{
			Connections: 14, Handles: 19, Stacks: 212, Bytes: 187_904, Sweeps: 2304,
			LastSweep: Now.Add(-2 * time.Second), LastTook: 184 * time.Microsecond, Took: 410 * time.Millisecond,
		},
		SelfTest: &tracker.SelfTested{
			SelfTestResult: tracker.SelfTestResult{Took: 5 * time.Millisecond, Proof: tracker.ProofUnreachable, Site: find},
			At:             Now.Add(-3 * time.Hour),
		},
	}
}

// Quiet is a shop in which nothing is held.
func Quiet() tracker.Snapshot {
	s := Snapshot()
	s.SelfTest = nil
	s.Findings, s.Open, s.Ended, s.Totals, s.Beyond = nil, nil, nil, tracker.Totals{}, tracker.Beyond{}
	s.Refusals = nil
	for i := range s.Pools {
		p := &s.Pools[i]
		p.InUse, p.Open, p.Overdue, p.Leaked, p.Closed, p.Exhausted = 0, nil, 0, 0, false, nil
	}
	return s
}

func pools() []tracker.Pool {
	return []tracker.Pool{
		{
			ID: 1, Name: "orders", Driver: "mysql", Source: "shop@tcp(db1:3306)/orders", Site: open,
			OpenedAt: Now.Add(-3 * time.Hour), InUse: 10,
			Open:    map[tracker.Kind]int{tracker.KindTx: 1, tracker.KindRows: 6, tracker.KindRow: 1, tracker.KindConn: 1},
			Overdue: 2, Leaked: 3,
			Stats:     &sql.DBStats{MaxOpenConnections: 10, WaitCount: 1234, WaitDuration: 75 * time.Second},
			Exhausted: exhaustion(),
			Recent:    recent(),
		},
		{
			ID: 2, Name: "archive", Driver: "*sqlite.Driver", Source: "file:archive.db", Site: open,
			OpenedAt: Now.Add(-time.Hour), Closed: true, InUse: 1, Open: map[tracker.Kind]int{tracker.KindRows: 1},
		},
	}
}

// recent rises to the limit, with a minute in which nothing was in use.
func recent() (out []tracker.PoolSample) {
	for i := range 24 {
		at := Now.Add(time.Duration(i-24) * 10 * time.Second)
		if i < 6 {
			at = at.Add(-time.Minute)
		}
		out = append(out, tracker.PoolSample{At: at, InUse: min(10, 1+i/2), Alarms: max(0, i-18), Waits: int64(max(0, i-20)) * 308})
	}
	return out
}

func exhaustion() *tracker.Exhaustion {
	d := Diagnosis()
	var held []tracker.Holder
	for _, f := range append(findings(), openHandles()[1]) {
		held = append(held, tracker.Holder{Handles: f})
	}
	held[0].Openers = d.Pools[1].Holders[0].Openers
	held[1].Openers = d.Pools[0].Holders[0].Openers
	return &tracker.Exhaustion{
		Pool: "orders", PoolID: 1, Limit: 10, InUse: 10, Since: Now.Add(-12 * time.Second), For: 12 * time.Second,
		Waiting: 31, GaveUp: true, Holders: held, Others: 2,
		Waiters: d.Pools[0].Waiters, Deadlocks: d.Deadlocks, AskedAt: Now.Add(-3 * time.Second), Advice: []string{d.Deadlocks[0].Advice},
		Growth: "in use rose from 2 to 10 within 4m; of what is held, opened since then: 7 × rows of orders.go:42, 1 × tx of checkout.go:118",
		Reason: "10 of 10 connections in use, none came back for 12s; at least 31 calls have begun to wait, of which some have given up",
	}
}

func refusals() []tracker.Refusal {
	return []tracker.Refusal{
		{
			Pool: "orders", PoolID: 1, What: tracker.ResourceConnections, Code: "MySQL 1040", Count: 12,
			First: Now.Add(-42 * time.Second), Last: Now.Add(-2 * time.Second), DBs: 8, InUse: 11, Idle: 7,
			Holders: []tracker.RefusalHolder{
				{Kind: tracker.KindRows, Site: find, Count: 10, DBs: 1, Oldest: 83 * time.Second},
				{Kind: tracker.KindDB, Site: open, Count: 7, DBs: 7, Oldest: 3 * time.Hour},
			},
			Others: 1,
			Reason: "12 times in 40s, the server had too many connections (MySQL 1040); this process had 18 then, 11 in use and 7 idle, of 8 DBs",
			Advice: "open the DB of line 31 once per process and share it, or Close it",
		},
		{
			Pool: "archive", PoolID: 2, What: tracker.ResourceStatements, Code: "MySQL 1461", Count: 1, Over: true,
			First: Now.Add(-time.Hour), Last: Now.Add(-time.Hour), DBs: 1, InUse: 5, Idle: 25,
			Holders: []tracker.RefusalHolder{
				{Kind: tracker.KindStmt, Site: export, Count: 600, DBs: 1, Copies: 580, Oldest: 3 * time.Minute, Busy: "prepare"},
			},
			Reason: "once, the server had too many prepared statements (MySQL 1461); this process had 600 then, on 30 connections",
		},
	}
}

func findings() []tracker.Finding {
	return []tracker.Finding{
		{
			ID: "f1", Kind: tracker.KindRows, State: tracker.StateLeaked, Proof: tracker.ProofUnreachable,
			Pool: "orders", Site: find, Query: "SELECT id FROM orders WHERE customer = ?",
			Stack:  stack("(*DB).QueryContext", 1717, frame("gorm.io/gorm.(*DB).Rows", "/mod/gorm/rows.go", 9), find, checkout),
			Reason: "no code can reach the rows any more, so nothing can close them",
			Advice: "add `defer rows.Close()` after line 42", OpenedAt: Now.Add(-125 * time.Second),
			Usual: "99 % of rows from this line are given back within 48ms; the threshold is 30s, 1s would do: tracker.WithSiteThreshold",
			Held: tracker.HeldTimes{Count: 102, Buckets: []tracker.HeldBucket{
				{UpTo: 48 * time.Millisecond, Count: 101}, {UpTo: math.MaxInt64, Count: 1},
			}},
			Median: 80 * time.Second, LatestAt: Now.Add(-31 * time.Second),
			FirstSeen: Now.Add(-94 * time.Second), Change: 2,
			Age: 125 * time.Second, Threshold: 30 * time.Second, Count: 4, Leaked: 3, Goroutine: 77, Scope: "GET /orders/{id}",
			Labels: []tracker.Label{{Key: "tenant", Value: "acme"}, {Key: "trace", Value: "4bf92f35"}},
		},
		{
			ID: "f2", Kind: tracker.KindTx, State: tracker.StateOverdue, Pool: "orders", Site: checkout,
			Stack:  stack("(*DB).BeginTx", 1900, checkout),
			Reason: "idle for 1m 11s, threshold 1m", Advice: "call Rollback on every return",
			Median: 90 * time.Second, LatestAt: Now.Add(-90 * time.Second), FirstSeen: Now.Add(-30 * time.Second), Change: 1,
			OpenedAt: Now.Add(-90 * time.Second), Age: 90 * time.Second, Threshold: time.Minute, Count: 1, Busy: "query", Goroutine: 78,
			Children: []tracker.Child{{Kind: tracker.KindRows, Site: items, Query: "SELECT sku FROM items", Count: 2}},
		},
	}
}

func openHandles() []tracker.Finding {
	return []tracker.Finding{
		{
			ID: "o0", Kind: tracker.KindDB, Pool: "orders", Site: open, Stack: stack("Open", 860, open),
			OpenedAt: Now.Add(-3 * time.Hour), Age: 3 * time.Hour, Count: 1, Goroutine: 1,
		},
		{
			ID: "o1", Kind: tracker.KindConn, Pool: "orders", Site: listen, Stack: stack("(*DB).Conn", 2000, listen),
			OpenedAt: Now.Add(-3 * time.Hour), Age: 3 * time.Hour, Count: 1, LongLived: "LISTEN orders", Goroutine: 12,
		},
		{
			ID: "o2", Kind: tracker.KindRows, Pool: "archive", Site: export, Stack: stack("(*DB).QueryContext", 1717, export),
			Query: "SELECT * FROM archive", OpenedAt: Now.Add(-400 * time.Second), Age: 400 * time.Second, Count: 1, Busy: "next",
		},
		{
			ID: "o3", Kind: tracker.KindRow, Pool: "orders", Site: count, Stack: stack("(*DB).QueryRowContext", 1800, count),
			Query: "SELECT count(*) FROM orders", OpenedAt: Now.Add(-20 * time.Millisecond), Age: 20 * time.Millisecond, Count: 1,
		},
	}
}

// Evil is a text that tries to be HTML, script, style, a template action, a
// terminal sequence and right-to-left text at once.
const Evil = "\"'><script>alert(1)</script>{{.}}</style>&amp;\x1b[31m\x1b]0;owned\x07\u202egpj\u200b\xff\r\n\x00%s"

// Hostile is the sample with Evil at the end of every text in it.
func Hostile() tracker.Snapshot { return Suffixed(Evil) }

// Suffixed is the sample with text at the end of every text in it.
func Suffixed(text string) tracker.Snapshot {
	s := Snapshot()
	suffix(reflect.ValueOf(&s).Elem(), text)
	return s
}

func suffix(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + text)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			suffix(v.Field(i), text)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			suffix(v.Elem(), text)
		}
	case reflect.Slice:
		for i := range v.Len() {
			suffix(v.Index(i), text)
		}
	}
}
