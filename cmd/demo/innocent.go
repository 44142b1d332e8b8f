package main

import "net/http"

// innocent is code that looks like a leak and isn't. Its line carries the
// comment "// OK: name". None of it may ever be listed.
type innocent struct {
	name    string
	pattern string
	handler func(*shop, http.ResponseWriter, *http.Request) error
	uri     string // a request that runs it; empty if it is there all the time
	slow    bool   // holds something for longer than its threshold
	what    string // what it looks like, and why it is well
}

// innocents are all look-alikes, in the order in which they are listed.
var innocents = []innocent{
	{
		name: "read-to-the-end", pattern: "GET /products", handler: (*shop).products, uri: "/products",
		what: "rows never closed, but read to the end",
	},
	{
		name: "context-ends", pattern: "GET /newest", handler: (*shop).newest, uri: "/newest",
		what: "rows left half read, but their context ends",
	},
	{
		name: "closed-by-helper", pattern: "GET /cheapest", handler: (*shop).cheapest, uri: "/cheapest",
		what: "rows closed in another function",
	},
	{
		name: "closed-by-goroutine", pattern: "GET /names", handler: (*shop).names, uri: "/names",
		what: "rows closed by another goroutine",
	},
	{
		name: "row-scanned", pattern: "GET /stock", handler: (*shop).stockOf, uri: "/stock?product=404404",
		what: "QueryRow scanned, even if there is no row",
	},
	{
		name: "export-advances", pattern: "GET /export.csv", handler: (*shop).export, uri: "/export.csv", slow: true,
		what: "rows open for long, but they keep advancing",
	},
	{
		name: "rollback-after-commit", pattern: "POST /orders", handler: (*shop).order, uri: "/orders?product=3",
		what: "Rollback deferred, Commit done",
	},
	{
		name: "context-ends-tx", pattern: "GET /cart", handler: (*shop).cart, uri: "/cart?customer=1",
		what: "tx never ended by hand, but with its context",
	},
	{
		name: "rows-end-with-tx", pattern: "GET /recent", handler: (*shop).recent, uri: "/recent",
		what: "rows left open in a tx that ends",
	},
	{
		name: "stmt-ends-with-tx", pattern: "GET /bestsellers", handler: (*shop).bestsellers, uri: "/bestsellers",
		what: "statement never closed, but its tx ends",
	},
	{
		name: "long-tx-works", pattern: "GET /stocktake", handler: (*shop).stocktake, uri: "/stocktake", slow: true,
		what: "tx open for long, but it keeps working",
	},
	{
		name: "stmt-cache", pattern: "GET /sorted", handler: (*shop).sorted, uri: "/sorted?by=name",
		what: "statements kept, but never more than a few",
	},
	{
		name: "tenant-db", pattern: "GET /tenant", handler: (*shop).tenant, uri: "/tenant",
		what: "a DB opened per request, and closed",
	},
	{
		name: "rows-outlive-db", pattern: "GET /farewell", handler: (*shop).farewell, uri: "/farewell",
		what: "DB closed while rows are open that are finished later",
	},
	{
		name: "connections-expire", pattern: "GET /replica", handler: (*shop).fromReplica, uri: "/replica",
		what: "connections that come and go by their lifetime",
	},
	{name: "held-on-purpose", what: "a connection held for ever, marked long-lived"},
	{name: "process-wide-db", what: "a DB as old as the process, its idle connections too"},
}
