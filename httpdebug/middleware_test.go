package httpdebug_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/httpdebug"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// shop is a program with a database and a web server.
type shop struct {
	*sql.DB
	tracker *tracker.Tracker
	// wrap is the middleware.
	wrap func(http.Handler) http.Handler

	mu    sync.Mutex
	ended []string // "kind, scope" of each event of a scope's end
}

func newShop(t *testing.T) *shop {
	s := &shop{}
	tr, err := tracker.New(tracker.WithObserver(tracker.ObserverFunc(s.observe)))
	if err != nil {
		t.Fatal(err)
	}
	s.tracker, s.wrap = tr, httpdebug.MiddlewareWith(httpdebug.WithTracker(tr))
	s.DB = driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr))
	t.Cleanup(func() { s.DB.Close() })
	return s
}

func (s *shop) observe(e tracker.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Kind == tracker.EventScopeEnd {
		s.ended = append(s.ended, e.Finding.Kind.String()+", "+e.Finding.Scope)
	}
}

func (s *shop) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ended)
}

// expect waits for the events of scopes that left something open.
func (s *shop) expect(t *testing.T, want ...string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(s.told()) < len(want) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if got := s.told(); !slices.Equal(got, want) {
		t.Errorf("left open: %q, want %q", got, want)
	}
}

// leak leaves rows open.
func (s *shop) leak(_ http.ResponseWriter, r *http.Request) {
	if _, err := s.QueryContext(r.Context(), "rows 2"); err != nil {
		panic(err)
	}
}

func TestMiddlewareNames(t *testing.T) {
	inside := func(pattern string) func(s *shop) http.Handler {
		return func(s *shop) http.Handler {
			mux := http.NewServeMux()
			mux.Handle(pattern, s.wrap(http.HandlerFunc(s.leak)))
			return mux
		}
	}
	outside := func(pattern string) func(s *shop) http.Handler {
		return func(s *shop) http.Handler {
			mux := http.NewServeMux()
			mux.HandleFunc(pattern, s.leak)
			return s.wrap(mux)
		}
	}
	none := func(s *shop) http.Handler { return s.wrap(http.HandlerFunc(s.leak)) }
	copied := func(s *shop) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("/orders/{id}", s.leak)
		return s.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), "k", "v"))) //lint:ignore SA1029 any key does
		}))
	}
	for _, tt := range []struct {
		name         string
		handler      func(*shop) http.Handler
		method, path string
		want         string
	}{
		{"in a mux", inside("/orders/{id}"), "GET", "/orders/17", "GET /orders/{id}"},
		{"in a mux, with its method", inside("GET /orders/{id}"), "GET", "/orders/17", "GET /orders/{id}"},
		{"in a mux, with a method that stands for another", inside("GET /orders/{id}"), "HEAD", "/orders/17", "HEAD GET /orders/{id}"},
		{"around a mux", outside("POST /orders/{id}/items/{item...}"), "POST", "/orders/17/items/a/b", "POST /orders/{id}/items/{item...}"},
		{"around a mux, by host", outside("example.com/"), "GET", "http://example.com/x", "GET example.com/"},
		{"no mux", none, "PUT", "/orders/17/items?token=secret", "PUT /orders/*/items"},
		{"no mux, secrets in the path", none, "GET", "/share/9f86d081884c7d65/a@example.com/eyJhbGciOiJIUzXXNiIsInRcCIX/end", "GET /share/*/*/*/end"},
		{"no mux, hostile", none, "GET", "/%1b%5b31m/%3Cscript%3E/", "GET /*/*/"},
		{"around a mux that gets a copy", copied, "GET", "/orders/x", "GET /orders/x"},
		{"long", none, "GET", strings.Repeat("/abc", 100), "GET " + strings.Repeat("/abc", 24)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShop(t)
			tt.handler(s).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(tt.method, tt.path, nil))
			s.expect(t, "rows, "+tt.want)
		})
	}
}

// TestMiddlewareIsNotSeen: next has the writer that the server gave, and the
// caller finds in its request what it would find without the middleware.
func TestMiddlewareIsNotSeen(t *testing.T) {
	s := newShop(t)
	mux := http.NewServeMux()
	var seen http.ResponseWriter
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		seen = w
		if err := r.ParseMultipartForm(1); err != nil {
			t.Error(err)
		}
	})
	w := httptest.NewRecorder()
	r := upload(t, "/upload")
	s.wrap(mux).ServeHTTP(w, r)
	if seen != http.ResponseWriter(w) {
		t.Errorf("next got a %T", seen)
	}
	if r.Pattern != "/upload" || r.MultipartForm == nil {
		t.Errorf("pattern %q, form %v", r.Pattern, r.MultipartForm)
	}
	s.expect(t)
}

func upload(t *testing.T, target string) *http.Request {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", "large.txt")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(bytes.Repeat([]byte("x"), 1<<20))
	form.Close()
	r := httptest.NewRequest("POST", target, &b)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return r
}

// TestMiddlewareLetsTheServerRemoveFiles that a form was kept in.
func TestMiddlewareLetsTheServerRemoveFiles(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s := newShop(t)
	server := httptest.NewServer(s.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil {
			t.Error(err)
		}
		entries, _ := os.ReadDir(os.TempDir())
		fmt.Fprint(w, len(entries))
	})))
	defer server.Close()
	r := upload(t, "/")
	resp, err := server.Client().Post(server.URL, r.Header.Get("Content-Type"), r.Body)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	server.Close() // waits for the handler
	if entries, _ := os.ReadDir(os.TempDir()); string(body) != "1" || len(entries) != 0 {
		t.Errorf("%s files meanwhile, %d are left", body, len(entries))
	}
}

func TestMiddlewarePanics(t *testing.T) {
	for _, value := range []any{http.ErrAbortHandler, "the application's"} {
		s := newShop(t)
		var got any
		func() {
			defer func() { got = recover() }()
			s.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s.leak(w, r)
				panic(value)
			})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil))
		}()
		if got != value {
			t.Errorf("panicked with %v, want %v", got, value)
		}
		s.expect(t, "rows, GET /x")
	}
}
