package httpdebug_test

import (
	"net/http"

	"github.com/dbleaks-go/dbleaks/httpdebug"
)

// The default rule, but with SQL text for those whom it lets in.
func ExampleLoopback() {
	mux := http.NewServeMux()
	httpdebug.Register(mux, httpdebug.Allow(func(r *http.Request) (view, sensitive bool) {
		local := httpdebug.Loopback(r)
		return local, local
	}))
}
