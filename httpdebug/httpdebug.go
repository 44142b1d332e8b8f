// Package httpdebug serves what a tracker knows over HTTP, for people and for
// programs: which database/sql handles are open, which of them are overdue or
// leaked, and which line of the application opened each.
//
//	mux := http.NewServeMux()
//	httpdebug.Register(mux)
//	go http.ListenAndServe("localhost:6060", mux)
//
// Then open http://localhost:6060/debug/dbleaks/ in a browser, or
//
//	curl http://localhost:6060/debug/dbleaks/
//	go tool pprof http://localhost:6060/debug/dbleaks/pprof
//
// # Endpoints
//
// Below the path at which the handler is mounted there are
//
//	(nothing)  the page as HTML, or as text for curl and for Accept: text/plain
//	json       a document of the schema dbleaks/v1
//	text       tables and details
//	diagnosis  who holds connections and what these goroutines do, who waits,
//	           and which wait for each other; as text or, for Accept:
//	           application/json, the document with a diagnosis. It takes a dump
//	           of all goroutines, at most once a second, and for no more than a
//	           hundredth of the time. It says what the database servers see
//	           if [WithServerView] is given.
//	flame      a flame graph of who opened what is open, as a page; by number
//	           of handles or, with ?by=age, by the time they have been open
//	metrics    numbers for Prometheus, as OpenMetrics 1.0 where that is asked
//	           for, by pool, kind and line: at most 50 lines and 50 pools,
//	           the rest as "other". It takes no filter.
//	pprof      a profile for go tool pprof; with ?seconds=N, of what became
//	           overdue or leaked in the next N seconds
//	events     what changes on the page, as server-sent events every two seconds
//	           for Accept: text/event-stream, else as JSON, once; without SQL text
//	help       what the words on the page mean
//
// All take the filters pool=NAME, kind=KIND (rows includes row), state=STATE,
// min_age=DURATION (as in 90s), func=TEXT (part of a function's name) and id=ID
// (of one finding, as the page links to it and json has it).
//
// The page looks at what the goroutines do that opened what is in trouble, which
// stops the world for some microseconds per goroutine, if there are no more than
// 2,000; with ?openers=now also if there are, with ?openers=no never. Together
// with diagnosis, that takes no more than a hundredth of the time.
//
// # Who may look
//
// By default only a request that comes from a loopback address, asks for a
// loopback host name (so that no other site's name, pointed at this machine,
// gets in), and bears no mark of a proxy. A proxy on the same machine that
// leaves no mark can't be told from a local visitor: don't let one forward
// these paths. Such a visitor sees no SQL text, and no source lines, in which
// there may be some. [Allow] replaces this rule.
//
// In any case, a request of which the browser says that another site made it
// send it is refused, except for a plain link to the page, which is harmless: the
// page changes nothing, runs no script but its own, can't be framed, and has no tie
// to the page that linked to it. Browsers say so to https and to loopback
// addresses. Where [Allow] lets visitors in over plain HTTP from elsewhere, another
// site can't read the answers either, but it can have the self-test begin.
//
// The handler changes nothing, but for the self-test that [WithSelfTest] gives
// it to run. It takes the lock of a *sql.DB for as long as (*sql.DB).Stats does,
// and keeps who gets a connection from the pool waiting for no longer than it takes
// to copy what is open on that connection.
//
// # Live
//
// With script the page keeps itself up to date; without, it is complete as of
// when it was loaded. While it is open and in sight, one snapshot is taken every
// two seconds for all who look. Events end by themselves when the server shuts
// down, before its write timeout, and every two minutes, whereupon the browser
// asks for them, and [Allow] is asked, again. Beyond 32 pages at once, and where
// no answer gets through before it is complete, the page asks every few seconds
// instead.
package httpdebug

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/metrics"
	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// prefix is where Register mounts the handler.
const prefix = "/debug/dbleaks/"

// An Option configures [Handler] and [Register].
type Option func(*handler)

// WithTracker serves t instead of the process's [tracker.Default]. A nil t
// means the default.
func WithTracker(t *tracker.Tracker) Option {
	return func(h *handler) {
		if t != nil {
			h.tracker, h.snapshot, h.openers = t, t.Snapshot, t.Openers
		}
	}
}

// Allow replaces the rule of who may look; see the package documentation for
// the one by default, which is available as [Loopback]. f says of a request
// whether it may view anything, and whether it may see what is sensitive: the
// SQL text, which has no literals but names tables and columns, and on the page
// the source lines, where the files are there. By default nobody may. f is called for every request, from many goroutines at once. If
// it panics the request is refused. A nil f means the default.
func Allow(f func(r *http.Request) (view, sensitive bool)) Option {
	return func(h *handler) { h.allow = f }
}

// Handler returns the handler for any path that ends in a slash, with or
// without http.StripPrefix: all of its links are relative.
func Handler(opts ...Option) http.Handler { return newHandler(opts) }

// Register mounts the handler on mux at /debug/dbleaks/, on
// http.DefaultServeMux if mux is nil. It panics, as mux does, if something is
// mounted there already.
func Register(mux *http.ServeMux, opts ...Option) {
	if mux == nil {
		mux = http.DefaultServeMux
	}
	h := newHandler(opts)
	h.prefix = prefix
	mux.Handle(prefix, h)
}

type handler struct {
	tracker  *tracker.Tracker // nil: the default one
	snapshot func() tracker.Snapshot
	allow    func(*http.Request) (view, sensitive bool) // nil: Loopback
	process  report.Process
	metrics  metrics.Exporter
	live     *live
	prefix   string   // where it is mounted, if known
	servers  *servers // nil: they aren't asked

	openers   func([]tracker.Finding) (map[string]tracker.Opener, bool)
	sourceURL func(tracker.Frame) string // nil: no links
	selfTest  selfTest
}

func newHandler(opts []Option) *handler {
	h := &handler{
		snapshot: func() tracker.Snapshot { return tracker.Default().Snapshot() },
		openers: func(fs []tracker.Finding) (map[string]tracker.Opener, bool) {
			return tracker.Default().Openers(fs)
		},
		process: report.ThisProcess(),
		live:    newLive(),
	}
	for _, o := range opts {
		if o != nil {
			o(h)
		}
	}
	return h
}

// The endpoints by name, in the order in which an error lists them.
var endpoints = [...]struct {
	name, what string
	serve      func(*handler, *visit) error
}{
	{"", "the page, or text for curl", (*handler).servePage},
	{"json", "the same for programs", (*handler).serveJSON},
	{"text", "the same as text", (*handler).serveText},
	{"diagnosis", "who holds connections, who waits, and deadlocks", (*handler).serveDiagnosis},
	{"flame", "the same as a flame graph", (*handler).serveFlame},
	{"metrics", "numbers for Prometheus", (*handler).serveMetrics},
	{"pprof", "the same for go tool pprof", (*handler).servePprof},
	{"help", "what the words mean", (*handler).serveHelp},
	{"selftest", "", (*handler).serveSelfTest},
	{"events", "what changes, as server-sent events", (*handler).serveEvents},
	{"style.css", "", serveAsset},
	{"live.js", "", serveAsset},
	{"icon.svg", "", serveAsset},
}

// visit is one request that was let in.
type visit struct {
	w         http.ResponseWriter
	r         *http.Request
	endpoint  string
	sensitive bool
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	v := &visit{w: w, r: r, endpoint: h.endpoint(r.URL.Path)}
	if err := h.serve(v); err != nil {
		writeError(v, err)
	}
}

func (h *handler) serve(v *visit) error {
	if err := h.admit(v); err != nil {
		return err
	}
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		v.w.Header().Set("Allow", "GET, HEAD")
		return failf(http.StatusMethodNotAllowed, "%s is not possible here: this can be read only, with GET or HEAD",
			report.Clean(v.r.Method))
	}
	for _, e := range endpoints {
		if e.name == v.endpoint {
			return e.serve(h, v)
		}
	}
	return notFound(v.r)
}

// endpoint is what the path says behind the place where the handler is
// mounted. If that place is not known it is the path's last element.
func (h *handler) endpoint(path string) string {
	if h.prefix != "" {
		return strings.TrimPrefix(path, h.prefix)
	}
	return path[strings.LastIndexByte(path, '/')+1:]
}

func setHeaders(h http.Header) {
	for name, value := range map[string]string{
		"Cache-Control": "no-store",
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; " +
			"img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
	} {
		h.Set(name, value)
	}
}

// failure is an error with a status.
type failure struct {
	status int
	text   string
}

func (f *failure) Error() string { return f.text }

func failf(status int, format string, args ...any) error {
	return &failure{status, fmt.Sprintf(format, args...)}
}

func notFound(r *http.Request) error {
	var b strings.Builder
	fmt.Fprintf(&b, "there is nothing at %s.\n\nThere are, below the path at which the handler is mounted"+
		" (which must end in a slash):\n", report.Clean(r.URL.Path))
	for _, e := range endpoints {
		if e.what != "" {
			fmt.Fprintf(&b, "    %-8s%s\n", cmp.Or(e.name, "./"), e.what)
		}
	}
	return failf(http.StatusNotFound, "%s", strings.TrimSuffix(b.String(), "\n"))
}

func writeError(v *visit, err error) {
	status := http.StatusInternalServerError
	if f, ok := err.(*failure); ok {
		status = f.status
	}
	v.write(status, "text/plain; charset=utf-8", []byte("dbleaks: "+err.Error()+"\n"))
}

// write answers the request. What the client does with the answer, or that it
// is gone, is not our concern.
func (v *visit) write(status int, contentType string, body []byte) {
	v.w.Header().Set("Content-Type", contentType)
	v.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		v.w.Write(body)
	}
}
