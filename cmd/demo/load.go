package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	visitors   = 4
	visitEvery = 30 * time.Millisecond  // for each visitor
	trapEvery  = 250 * time.Millisecond // one round of requests that run into bugs
	gcEvery    = 500 * time.Millisecond
)

// load is the shop's steady stream of visitors.
type load struct {
	base   string // URL of the shop
	client *http.Client

	mu       sync.Mutex
	requests int
	failed   int
	lastFail string
	served   map[string]int // answers, by path and query
}

func newLoad(base string) *load {
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * visitors}
	return &load{
		base:   base,
		client: &http.Client{Transport: transport, Timeout: time.Minute},
		served: make(map[string]int),
	}
}

// run visits the shop until ctx ends.
func (l *load) run(ctx context.Context) {
	defer l.client.CloseIdleConnections()
	var wg sync.WaitGroup
	quick, slow := l.itinerary()
	for i := range visitors {
		wg.Go(func() { l.visit(ctx, quick, i*len(quick)/visitors, visitEvery) })
	}
	for i := range slow {
		wg.Go(func() { l.visit(ctx, slow, i, visitEvery) })
	}
	wg.Go(func() { l.runIntoBugs(ctx) })
	wg.Go(func() { collectGarbage(ctx) })
	wg.Wait()
}

// itinerary lists the requests that do no harm.
func (l *load) itinerary() (quick, slow []string) {
	quick = []string{"GET /", "GET /products/7", "GET /orders",
		"GET /sorted?by=price", "GET /sorted?by=stock", "GET /sorted?by=number", "GET /sorted?by=age"}
	for _, b := range bugs {
		if b.fine != "" {
			quick = append(quick, request(b.pattern, b.fine))
		}
	}
	for _, i := range innocents {
		switch {
		case i.slow:
			slow = append(slow, request(i.pattern, i.uri))
		case i.uri != "":
			quick = append(quick, request(i.pattern, i.uri))
		}
	}
	return quick, slow
}

// request is the method of a pattern with a path and query.
func request(pattern, uri string) string {
	method, _, _ := strings.Cut(pattern, " ")
	return method + " " + uri
}

// visit makes one request after another, from the given one on.
func (l *load) visit(ctx context.Context, requests []string, from int, every time.Duration) {
	next := time.NewTicker(every)
	defer next.Stop()
	for i := from; ; i++ {
		l.do(ctx, requests[i%len(requests)], http.StatusInternalServerError)
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
	}
}

// runIntoBugs makes the requests that run into the bugs, as often as each is
// rationed. It does so in rounds, because what leaks by growth is found by
// growing from one look to the next.
func (l *load) runIntoBugs(ctx context.Context) {
	next := time.NewTicker(trapEvery)
	defer next.Stop()
	for round := 0; ; round++ {
		done := true
		for _, b := range bugs {
			if round < b.times {
				done = false
				l.do(ctx, request(b.pattern, b.uri), 600) // many of them do fail
			}
		}
		if done {
			return
		}
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
	}
}

// do makes a request; a status of failure or above is counted as a failure.
func (l *load) do(ctx context.Context, methodURI string, failure int) {
	method, uri, _ := strings.Cut(methodURI, " ")
	fail := ""
	req, err := http.NewRequestWithContext(ctx, method, l.base+uri, nil)
	if err == nil {
		var resp *http.Response
		if resp, err = l.client.Do(req); err == nil {
			var body []byte
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode >= failure {
				fail = fmt.Sprintf("%s: %d %s", methodURI, resp.StatusCode, strings.TrimSpace(string(body)))
			}
		}
	}
	if ctx.Err() != nil {
		return // interrupted: says nothing about the shop
	}
	if err != nil {
		fail = err.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	if fail != "" {
		l.failed++
		l.lastFail = fail
		return
	}
	l.served[uri]++
}

// unserved are the look-alikes that have had no chance to be listed, because
// they have not run to their end.
func (l *load) unserved() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for _, i := range innocents {
		if i.uri != "" && l.served[i.uri] == 0 {
			names = append(names, i.name)
		}
	}
	return names
}

// collectGarbage stands in for the allocations of a larger program: a busy
// shop collects its garbage several times a second, while this one has too
// little to do it within the time of a demo.
func collectGarbage(ctx context.Context) {
	next := time.NewTicker(gcEvery)
	defer next.Stop()
	for {
		select {
		case <-next.C:
			runtime.GC()
		case <-ctx.Done():
			return
		}
	}
}
