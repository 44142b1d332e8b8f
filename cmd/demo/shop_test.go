package main

import (
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestShop visits the front page and everything that works.
func TestShop(t *testing.T) {
	s := newShop(t)
	front := get(t, s, "GET", "/")
	if !strings.Contains(front.Body.String(), "Its self-test passed: ") {
		t.Error("the front page doesn't tell of the self-test")
	}
	for _, b := range bugs {
		if !strings.Contains(front.Body.String(), html.EscapeString(b.what)) {
			t.Errorf("the front page doesn't list %s", b.name)
		}
	}
	for _, i := range innocents {
		if !strings.Contains(front.Body.String(), html.EscapeString(i.what)) {
			t.Errorf("the front page doesn't list %s", i.name)
		}
	}
	quick, _ := newLoad("").itinerary()
	for _, request := range quick {
		method, uri, _ := strings.Cut(request, " ")
		if w := get(t, s, method, uri); w.Code >= 500 || w.Code == 404 && !meantToFail(uri) {
			t.Errorf("%s: %d %s", request, w.Code, w.Body)
		}
	}
}

func meantToFail(uri string) bool {
	return strings.HasSuffix(uri, "=P999") || strings.HasSuffix(uri, "404404")
}

// TestRation: a bug happens as often as it may and no more.
func TestRation(t *testing.T) {
	s := newShop(t)
	for _, b := range bugs {
		method, _, _ := strings.Cut(b.pattern, " ")
		for range b.times {
			if w := get(t, s, method, b.uri); w.Code == http.StatusTooManyRequests {
				t.Errorf("%s: refused too early", b.name)
			}
		}
		if w := get(t, s, method, b.uri); w.Code != http.StatusTooManyRequests {
			t.Errorf("%s: once too often: %d", b.name, w.Code)
		}
	}
}

func newShop(t *testing.T) *shop {
	t.Helper()
	d, err := openDatabase(t.Context(), options{sqlite: true})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	s, err := openShop(t.Context(), d, tr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
		tr.Close()
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func get(t *testing.T, s *shop, method, uri string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, uri, nil))
	return w
}
