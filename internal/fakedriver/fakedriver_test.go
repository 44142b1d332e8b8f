package fakedriver_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
)

var errScripted = errors.New("scripted")

// trace returns the calls since the last time, as text.
func trace(f *fakedriver.Fake) []string {
	var out []string
	for _, c := range f.TakeCalls() {
		out = append(out, c.String())
	}
	return out
}

func TestTrace(t *testing.T) {
	f := fakedriver.New(fakedriver.OnConn|fakedriver.OnStmt|fakedriver.OnRows, func(c *fakedriver.Call) fakedriver.Answer {
		if c.Method == "QueryContext" {
			return fakedriver.Answer{Value: []fakedriver.Table{{
				Columns: []fakedriver.Column{{Name: "n"}},
				Rows:    [][]driver.Value{{int64(5)}},
			}}}
		}
		return fakedriver.Answer{}
	})
	db := sql.OpenDB(f.Connector())
	var n int
	if err := db.QueryRow("one", sql.Named("a", 1)).Scan(&n); err != nil || n != 5 {
		t.Fatal(n, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`connector.Connect()`,
		`conn1.CheckNamedValue(:a/1=int(1))`,
		`conn1.QueryContext(string("one"), [:a/1=int(1)])`,
		`rows1.Columns()`,
		`rows1.Next()`,
		`rows1.Close()`,
		`conn1.IsValid()`,
		`conn1.Close()`,
	}
	if got := trace(f); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if open := f.Open(); open != nil {
		t.Errorf("still open: %v", open)
	}
}

func TestScript(t *testing.T) {
	f := fakedriver.New(fakedriver.Pinger, nil)
	ping := connect(t, f).(driver.Pinger).Ping
	f.Script(
		fakedriver.Rule{Method: "Ping", Skip: 1, Times: 2, Answer: fakedriver.Answer{Err: errScripted}},
		fakedriver.Rule{On: "stmt", Method: "Close", Answer: fakedriver.Answer{Err: errScripted}},
	)
	for i, want := range []error{nil, errScripted, errScripted, nil} {
		if err := ping(t.Context()); err != want {
			t.Errorf("ping %d: %v, want %v", i, err, want)
		}
	}
	s := prepare(t, f, "q")
	for _, c := range []struct {
		name string
		of   interface{ Close() error }
		want error
	}{
		{"another kind of object", connect(t, f), nil},
		{"the kind of object", s, errScripted},
		{"the second time", s, nil},
	} {
		if err := c.of.Close(); err != c.want {
			t.Errorf("close, %s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestAnswers(t *testing.T) {
	f := fakedriver.New(fakedriver.OnConn, nil)
	c := connect(t, f)
	done := false
	for _, test := range []struct {
		name   string
		answer fakedriver.Answer
		call   func() any
		want   any
	}{
		{"do", fakedriver.Answer{Do: func() { done = true }}, func() any { c.(driver.Pinger).Ping(t.Context()); return done }, true},
		{"panic", fakedriver.Answer{Panic: "ouch"}, func() (v any) {
			defer func() { v = recover() }()
			return c.(driver.Pinger).Ping(t.Context())
		}, "ouch"},
		{"value", fakedriver.Answer{Value: false}, func() any { return c.(driver.Validator).IsValid() }, false},
		{"value of another type", fakedriver.Answer{Value: 1}, func() any { return c.(driver.Validator).IsValid() }, true},
		{"nil", fakedriver.Answer{Nil: true}, func() any { s, err := c.Prepare("q"); return s == nil && err == nil }, true},
		{"cannot block", fakedriver.Answer{Block: true}, func() any { return c.(driver.Pinger).Ping(context.Background()) }, nil},
	} {
		f.Script(
			fakedriver.Rule{Method: "Ping", Answer: test.answer},
			fakedriver.Rule{Method: "IsValid", Answer: test.answer},
			fakedriver.Rule{Method: "Prepare", Answer: test.answer},
		)
		if got := test.call(); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakedriver.New(fakedriver.Pinger, nil)
		c := connect(t, f).(driver.Pinger)
		for _, want := range []error{context.Canceled, errScripted} {
			answer := fakedriver.Answer{Block: true}
			if want == errScripted {
				answer.Err = errScripted
			}
			f.Script(fakedriver.Rule{Method: "Ping", Answer: answer})
			ctx, cancel := context.WithCancel(t.Context())
			got := make(chan error, 1)
			go func() { got <- c.Ping(ctx) }()
			synctest.Wait()
			select {
			case err := <-got:
				t.Errorf("answered %v before the context ended", err)
			default:
			}
			cancel()
			if err := <-got; err != want {
				t.Errorf("answered %v, want %v", err, want)
			}
		}
	})
}

func TestGoexit(t *testing.T) {
	f := fakedriver.New(fakedriver.Pinger, nil)
	c := connect(t, f).(driver.Pinger)
	f.Script(fakedriver.Rule{Method: "Ping", Answer: fakedriver.Answer{Goexit: true}})
	returned, ended := false, make(chan bool)
	go func() {
		defer close(ended)
		c.Ping(t.Context())
		returned = true
	}()
	<-ended
	if returned {
		t.Error("the call returned")
	}
}

func TestTxIsConn(t *testing.T) {
	for _, set := range []fakedriver.Set{0, fakedriver.TxIsConn} {
		c := connect(t, fakedriver.New(set, nil))
		tx, err := c.Begin() //lint:ignore SA1019 the legacy method is on offer too
		if err != nil {
			t.Fatal(err)
		}
		if same := any(tx) == any(c); same != (set != 0) {
			t.Errorf("%v: the transaction is the connection: %v", set, same)
		}
	}
}

func TestOpen(t *testing.T) {
	f := fakedriver.New(0, nil)
	s := prepare(t, f, "q")
	if got, want := f.Open(), []string{"conn1", "stmt1"}; !slices.Equal(got, want) {
		t.Errorf("open: %v, want %v", got, want)
	}
	s.Close()
	if got, want := f.Open(), []string{"conn1"}; !slices.Equal(got, want) {
		t.Errorf("open: %v, want %v", got, want)
	}
}

func TestFormat(t *testing.T) {
	type custom struct{ p *int }
	for _, test := range []struct {
		v    any
		want string
	}{
		{nil, "nil"},
		{int64(1), "int64(1)"},
		{"1", `string("1")`},
		{[]byte("1"), `[]uint8("1")`},
		{errScripted, "*errors.errorString(scripted)"},
		{custom{new(int)}, "fakedriver_test.custom"}, // not the address
	} {
		if got := fakedriver.Format(test.v); got != test.want {
			t.Errorf("%v: %s, want %s", test.v, got, test.want)
		}
	}
}
