package httpdebug_test

import (
	"log"
	"net/http"
	"strings"

	"github.com/dbleaks-go/dbleaks/httpdebug"
)

func ExampleRegister() {
	mux := http.NewServeMux()
	httpdebug.Register(mux)

	go func() { log.Print(http.ListenAndServe("localhost:6060", mux)) }()
}

func ExampleMiddleware() {
	mux := http.NewServeMux()
	server := &http.Server{Handler: httpdebug.Middleware(mux)}
	_ = server
}

func ExampleAllow() {
	mux := http.NewServeMux()
	httpdebug.Register(mux, httpdebug.Allow(func(r *http.Request) (view, sensitive bool) {
		// Here a proxy has authenticated the visitor, and says who it is.
		user := r.Header.Get("X-Forwarded-User")
		return user != "", strings.HasSuffix(user, "@dba.example.com")
	}))
}
