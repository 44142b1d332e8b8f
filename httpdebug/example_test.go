package httpdebug_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/dbleaks-go/dbleaks/httpdebug"
	"github.com/dbleaks-go/dbleaks/tracker"
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

func ExampleSourceURL() {
	mux := http.NewServeMux()
	httpdebug.Register(mux, httpdebug.SourceURL(func(f tracker.Frame) string {
		return fmt.Sprintf("vscode://file%s:%d", f.File, f.Line)
	}))
}

func ExampleWithSelfTest() {
	var db *sql.DB // of driverwrap.Open
	mux := http.NewServeMux()
	httpdebug.Register(mux, httpdebug.WithSelfTest(func(ctx context.Context) error {
		_, err := tracker.SelfTest(ctx, db)
		return err
	}))
}
