package main

import (
	"net/http"

	"github.com/dbleaks-go/dbleaks/internal/reach"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// bug is a leak planted in the shop. Its line carries the comment
// "// BUG: name", by which it is recognised in a finding.
type bug struct {
	name  string
	kind  tracker.Kind  // what it leaks
	state tracker.State // the verdict it must come to
	// pattern and handler serve it; most do well until they are asked for uri.
	pattern string
	handler func(*shop, http.ResponseWriter, *http.Request) error
	uri     string // the request that runs into the bug
	times   int    // how often it may
	fine    string // a request that the same handler serves without harm, or ""
	what    string // what the programmer got wrong
}

// dropped is the verdict on what nobody can close but database/sql keeps: it
// takes the goroutine-leak profile to prove it, which Go has since 1.27.
var dropped = func() tracker.State {
	if reach.Available() {
		return tracker.StateLeaked
	}
	return tracker.StateOverdue
}()

// bugs are all planted leaks, in the order in which they are listed.
//
// Rows that nothing can reach any more are proven leaked by the garbage
// collector, transactions and DBs that were dropped by the goroutine-leak
// profile. Everything else is a fact about time (held, and not used) or about
// growth (more and more of the same, none given back).
var bugs = []bug{
	{
		name: "first-match", kind: tracker.KindRows, state: tracker.StateLeaked,
		pattern: "GET /find", handler: (*shop).find,
		uri: "/find?sku=P007", times: 2, fine: "/find?sku=P999",
		what: "returns on the first match, before rows.Close",
	},
	{
		name: "scan-error", kind: tracker.KindRows, state: tracker.StateLeaked,
		pattern: "GET /describe", handler: (*shop).describe,
		uri: "/describe?id=9", times: 2, fine: "/describe?id=1",
		what: "returns on a Scan error, before rows.Close",
	},
	{
		name: "defer-too-late", kind: tracker.KindRows, state: tracker.StateLeaked,
		pattern: "GET /account", handler: (*shop).account,
		uri: "/account?customer=5", times: 2, fine: "/account?customer=1",
		what: "defers rows.Close after a check that returns",
	},
	{
		name: "query-as-exec", kind: tracker.KindRows, state: tracker.StateLeaked,
		pattern: "GET /visit", handler: (*shop).visit,
		uri: "/visit?from=newsletter", times: 2, fine: "/visit?from=search",
		what: "runs an UPDATE with Query and drops the result",
	},
	{
		name: "rows-reassigned", kind: tracker.KindRows, state: tracker.StateLeaked,
		pattern: "GET /compare", handler: (*shop).compare,
		uri: "/compare?a=1&b=2", times: 2, fine: "/compare?a=1&b=999",
		what: "assigns rows twice; the defer closes the first only",
	},
	{
		name: "panic-before-close", kind: tracker.KindRows, state: tracker.StateLeaked,
		pattern: "GET /invoice", handler: (*shop).invoice,
		uri: "/invoice?order=2", times: 2, fine: "/invoice?order=1",
		what: "panics between Query and Close; the server recovers",
	},
	{
		name: "db-closed-first", kind: tracker.KindRows, state: tracker.StateLeaked,
		pattern: "GET /archive", handler: (*shop).archive,
		uri: "/archive?order=1", times: 2,
		what: "closes the DB and believes that this closes its rows",
	},
	{
		name: "cursor-kept", kind: tracker.KindRows, state: tracker.StateOverdue,
		pattern: "GET /browse", handler: (*shop).browse,
		uri: "/browse?page=first", times: 2,
		what: "keeps rows in a struct for a visitor who never returns",
	},
	{
		name: "row-not-scanned", kind: tracker.KindRow, state: tracker.StateLeaked,
		pattern: "GET /subscribed", handler: (*shop).subscribed,
		uri: "/subscribed?customer=1", times: 2,
		what: "asks QueryRow for its error only, and never scans",
	},
	{
		name: "early-return", kind: tracker.KindTx, state: dropped,
		pattern: "GET /quote", handler: (*shop).quote,
		uri: "/quote?product=13", times: 2, fine: "/quote?product=1",
		what: "returns an error after Begin, without Rollback",
	},
	{
		name: "shadowed-err", kind: tracker.KindTx, state: dropped,
		pattern: "GET /returns", handler: (*shop).returns,
		uri: "/returns?order=404404", times: 2, fine: "/returns?order=1",
		what: "rolls back if err != nil, but another err was set",
	},
	{
		name: "panic-in-tx", kind: tracker.KindTx, state: dropped,
		pattern: "POST /split", handler: (*shop).split,
		uri: "/split?order=1&parts=0", times: 2, fine: "/split?order=1&parts=2",
		what: "panics in a transaction; the server recovers",
	},
	{
		name: "tx-waits", kind: tracker.KindTx, state: tracker.StateOverdue,
		pattern: "POST /pay", handler: (*shop).pay,
		uri: "/pay?order=1", times: 2,
		what: "waits on a channel in the middle of a transaction",
	},
	{
		name: "conn-on-error", kind: tracker.KindConn, state: tracker.StateOverdue,
		pattern: "GET /margin", handler: (*shop).margin,
		uri: "/margin?product=404404", times: 2, fine: "/margin?product=1",
		what: "returns an error after db.Conn, without Close",
	},
	{
		name: "prepare-per-call", kind: tracker.KindStmt, state: tracker.StateOverdue,
		pattern: "GET /price", handler: (*shop).price,
		uri: "/price?product=1", times: 16,
		what: "prepares a statement per request and never closes it",
	},
	{
		name: "open-per-request", kind: tracker.KindDB, state: dropped,
		pattern: "GET /stats", handler: (*shop).stats,
		uri: "/stats?of=orders", times: 12,
		what: "opens a DB per request and never closes it",
	},
}
