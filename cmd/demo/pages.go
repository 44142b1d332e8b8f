package main

import (
	"database/sql"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

// product shows one product.
func (s *shop) product(w http.ResponseWriter, r *http.Request) error {
	var name string
	var cents, stock int
	err := s.db.QueryRowContext(r.Context(), "SELECT name, price_cents, stock FROM products WHERE id = ?", r.PathValue("id")).
		Scan(&name, &cents, &stock)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s, %d.%02d, %d in stock\n", name, cents/100, cents%100, stock)
	return nil
}

// orders lists the latest orders.
func (s *shop) orders(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.db.QueryContext(r.Context(), "SELECT id FROM orders ORDER BY id DESC LIMIT 20")
	if err != nil {
		return err
	}
	defer rows.Close()
	return printInts(w, "order", rows)
}

// index is the shop's front page, for people who want to click around.
func (s *shop) index(w http.ResponseWriter, r *http.Request) error {
	type link struct {
		URI, Method, Name, What string
		Left                    int
	}
	var page struct {
		Bugs, Innocents []link
		SelfTest        string
		Hangs           []struct{ Pool, What string }
	}
	for _, h := range hangs {
		page.Hangs = append(page.Hangs, struct{ Pool, What string }{h.pool, h.what})
	}
	page.SelfTest = selfTestWords(s.selfTest)
	s.mu.Lock()
	for _, b := range bugs {
		method, _, _ := strings.Cut(b.pattern, " ")
		page.Bugs = append(page.Bugs, link{b.uri, method, b.name, b.what, s.ration[b.uri]})
	}
	s.mu.Unlock()
	for _, i := range innocents {
		method, _, _ := strings.Cut(i.pattern, " ")
		page.Innocents = append(page.Innocents, link{i.uri, method, i.name, i.what, 0})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return indexPage.Execute(w, page)
}

var indexPage = template.Must(template.New("index").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The leaky shop</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100% }
td { padding: .2rem 1rem .2rem 0; border-top: 1px solid #8884; vertical-align: top }
form { margin: 0 } button { font: inherit; padding: 0 .4rem }
</style>
<h1>The leaky shop</h1>
<p>A web shop with leaks planted in it. What dbleaks knows about them:
<a href="/debug/dbleaks/">/debug/dbleaks/</a>. Its self-test {{.SelfTest}}.</p>
<p>To browse: <a href="/products">products</a>, <a href="/products/7">one product</a>, <a href="/orders">orders</a>.</p>
<h2>Hang</h2>
<p>Three pools of two connections each, which nobody else uses: {{range $i, $h := .Hangs}}{{if $i}}; {{end}}in <em>{{$h.Pool}}</em>, {{$h.What}}{{end}}.</p>
<form method="post" action="/hang"><button>Hang them</button></form>
{{define "link"}}{{if not .URI}}{{.Name}}{{else if eq .Method "POST"}}<form method="post" action="{{.URI}}"><button>{{.Name}}</button></form>{{else}}<a href="{{.URI}}">{{.Name}}</a>{{end}}{{end}}
<h2>Leaks</h2>
<p>Each may happen a few times only, so that the shop goes on working; the load spends them in the first seconds.</p>
<table>{{range .Bugs}}
<tr><td>{{template "link" .}}<td>{{.What}}<td>{{.Left}} left{{end}}
</table>
<h2>Look-alikes</h2>
<table>{{range .Innocents}}
<tr><td>{{template "link" .}}<td>{{.What}}{{end}}
</table>
</html>
`))

// printString prints the present row's only column.
func printString(w http.ResponseWriter, rows *sql.Rows) error {
	var s string
	if err := rows.Scan(&s); err != nil {
		return err
	}
	fmt.Fprintln(w, s)
	return nil
}

// printInts prints a column of numbers, each after a word.
func printInts(w http.ResponseWriter, word string, rows *sql.Rows) error {
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return err
		}
		fmt.Fprintln(w, word, n)
	}
	return rows.Err()
}
