package browsertest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// What finds fault with pages finds it.
func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(`<title>x</title><body><p style="color: #eee">faint</p><img src=x alt=""><script>owned = 1</script><button></button>`))
	}))
	t.Cleanup(server.Close)
	p := newTab(t, light)
	p.open(server.URL)
	var found []string
	for _, v := range p.violations() {
		found = append(found, v.ID)
	}
	for _, want := range []string{"html-has-lang", "button-name"} {
		if !slices.Contains(found, want) {
			t.Errorf("the audit finds %v, and not %s", found, want)
		}
	}
	var said []string
	p.until("the console speaks of all three", func() bool {
		said = append(said, p.taken()...)
		return len(said) >= 3
	})
	for _, want := range []string{"style", "img-src", "script-src"} {
		if !slices.ContainsFunc(said, func(m string) bool { return strings.Contains(m, want) }) {
			t.Errorf("the console doesn't speak of %s: %q", want, said)
		}
	}
}
