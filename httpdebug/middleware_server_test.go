package httpdebug_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/httpdebug"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestMiddlewareAndStreams: an answer that takes its time isn't cut short, nor
// is what a handler leaves to others on purpose.
func TestMiddlewareAndStreams(t *testing.T) {
	s := newShop(t)
	read := make(chan bool)
	others := make(chan error, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		rows, err := s.QueryContext(r.Context(), "rows 3")
		if err != nil {
			t.Error(err)
			return
		}
		defer rows.Close()
		for n := 0; rows.Next(); {
			rows.Scan(&n)
			fmt.Fprintln(w, n)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			<-read
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/hijack", func(w http.ResponseWriter, r *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		tx, err := s.BeginTx(context.WithoutCancel(r.Context()), nil)
		if err != nil {
			t.Error(err)
			return
		}
		go func() { // outlives the request
			defer conn.Close()
			<-read
			_, err := tx.Exec("insert")
			fmt.Fprint(buf, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n3\n2\n1\n")
			buf.Flush()
			if err == nil {
				err = tx.Commit()
			}
			others <- err
		}()
	})
	server := httptest.NewServer(s.wrap(mux))
	defer server.Close()

	get := func(path string, early int) {
		if early == 0 { // nothing comes before others are told to go on
			go func() { read <- true }()
		}
		resp, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var lines []string
		for in := bufio.NewScanner(resp.Body); in.Scan(); {
			lines = append(lines, in.Text())
			if len(lines) <= early {
				read <- true
			}
		}
		if !slices.Equal(lines, []string{"3", "2", "1"}) {
			t.Errorf("%s: %q", path, lines)
		}
	}
	get("/stream", 3)
	get("/hijack", 0)
	if err := <-others; err != nil {
		t.Errorf("what outlives the request: %v", err)
	}
	s.expect(t)
	s.tracker.AssertNoLeaks(t)
}

// TestMiddlewareAndClientsThatGo: database/sql takes back what belongs to a
// request that is over because its client went away.
func TestMiddlewareAndClientsThatGo(t *testing.T) {
	s := newShop(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan bool)
	server := httptest.NewServer(s.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(served)
		s.leak(w, r)
		cancel()
		<-r.Context().Done()
	})))
	defer server.Close()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Client().Do(r); err == nil {
		t.Error("an answer came")
	}
	<-served
	s.tracker.AssertNoLeaks(t)
	s.expect(t)
}

// fakeTest is a test that notes how it fails, and doesn't.
type fakeTest struct {
	*testing.T
	said string
}

func (f *fakeTest) Errorf(format string, args ...any) { f.said += fmt.Sprintf(format, args...) }

// TestGuardAndRequests: a test fails for what its server's requests leave open.
func TestGuardAndRequests(t *testing.T) {
	s := newShop(t)
	f := &fakeTest{}
	t.Run("guarded", func(t *testing.T) {
		f.T = t
		s.tracker.Guard(f)
		mux := http.NewServeMux()
		mux.HandleFunc("/orders/{id}", s.leak)
		server := httptest.NewServer(s.wrap(mux))
		defer server.Close()
		resp, err := server.Client().Get(server.URL + "/orders/1")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
	if want := "still open at the end of scope GET /orders/{id}"; !strings.Contains(f.said, want) {
		t.Errorf("the test was told %q, want %q in it", f.said, want)
	}
}

func TestMiddlewareOfTheDefaultTracker(t *testing.T) {
	db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithName("middleware"))
	defer db.Close()
	httpdebug.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := db.Conn(r.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if !slices.ContainsFunc(tracker.Default().Snapshot().Open, func(f tracker.Finding) bool {
			return f.Pool == "middleware" && f.Kind == tracker.KindConn && f.Scope == "GET /x"
		}) {
			t.Error("the connection is not listed under the request")
		}
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil))
}
