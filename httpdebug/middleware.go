package httpdebug

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// Middleware gives each request that next serves a scope of its own in the
// default tracker: see [tracker.Scope] for what becomes of handles that are
// open when next returns. Only those are concerned that were opened with the
// request's context, which ends then anyway.
//
// The scope is named by the request's method and the pattern that matched, as
// in "GET /orders/{id}". That works for next being an [http.ServeMux] and
// within one; where no pattern is known, as inside of other routers, the name
// has the path, with a star for each part that looks like an id.
//
// next gets the ResponseWriter as it is, with all that it can do, and a
// request that differs in its context only. Panics pass.
func Middleware(next http.Handler) http.Handler { return MiddlewareWith()(next) }

// MiddlewareWith is Middleware with options, of which [WithTracker] makes a
// difference.
func MiddlewareWith(opts ...Option) func(next http.Handler) http.Handler {
	t := cmp.Or(newHandler(opts).tracker, tracker.Default())
	return func(next http.Handler) http.Handler { return scoped{t, next} }
}

type scoped struct {
	tracker *tracker.Tracker
	next    http.Handler
}

func (s scoped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	outer := record.TermsOf(r.Context())
	ctx, end := s.tracker.Scope(r.Context(), scopeName(r))
	inner := r.WithContext(ctx)
	defer func() {
		if t := record.TermsOf(ctx); t != outer && inner.Pattern != r.Pattern {
			t.Scope.SetName(scopeName(inner)) // a mux has matched it since
		}
		// Who called looks here for what matched, and for files to remove.
		r.Pattern, r.MultipartForm = inner.Pattern, inner.MultipartForm
		end()
	}()
	s.next.ServeHTTP(w, inner)
}

// scopeName is the method and the route of a request.
func scopeName(r *http.Request) string {
	route := r.Pattern
	if route == "" {
		route = vague(r.URL.EscapedPath())
	}
	if strings.HasPrefix(route, r.Method+" ") {
		return route // the pattern has the method
	}
	return r.Method + " " + route
}

// vague replaces what looks like an id, or like a secret, in a path.
func vague(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if len(p) > 24 || strings.ContainsAny(p, "0123456789@=%") {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}
