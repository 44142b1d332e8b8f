package httpdebug

import (
	"context"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/words"
)

// WithSelfTest puts a button on the page that calls f, which should call
// [tracker.SelfTest] with one of the program's DBs:
//
//	httpdebug.WithSelfTest(func(ctx context.Context) error {
//		_, err := tracker.SelfTest(ctx, db)
//		return err
//	})
//
// f is called by one visitor at a time, at most once in ten seconds, with a
// context that ends after fifteen. The page shows how the last one went; what
// f's error says, only to visitors who may see what is sensitive, see [Allow].
func WithSelfTest(f func(ctx context.Context) error) Option {
	return func(h *handler) { h.selfTest.run = f }
}

const (
	selfTestTimeout = 15 * time.Second
	selfTestPause   = 10 * time.Second
)

// selfTest is the function to run, and what became of it.
type selfTest struct {
	run func(context.Context) error

	mu      sync.Mutex // guards the rest
	running bool
	last    *selfTested
}

// selfTested is a self-test that has ended.
type selfTested struct {
	At     time.Time
	Took   time.Duration
	Failed bool
	Error  string // what the error says, which itself may refer to anything
}

// begin says how long to wait before the next one, or begins it.
func (s *selfTest) begin() (wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.running:
		return selfTestPause
	case s.last != nil:
		wait = selfTestPause - time.Since(s.last.At)
	}
	if wait > 0 {
		return wait
	}
	s.running = true
	return 0
}

func (s *selfTest) end(result *selfTested) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.last = false, result
}

// words says how the last self-test went, be it one of the tracker's or, if
// that failed before, of the function.
func (s *selfTest) words(d report.Document, sensitive bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && s.last.Failed && (d.SelfTest == nil || s.last.At.After(d.SelfTest.At)) {
		return s.last.words(sensitive) + ", " + words.Duration(d.GeneratedAt.Sub(s.last.At)) + " ago"
	}
	if d.SelfTest != nil {
		return d.SelfTest.Words(d.GeneratedAt)
	}
	return ""
}

// serveSelfTest runs the self-test and leads back to the page, which shows the
// result.
func (h *handler) serveSelfTest(v *visit) error {
	if h.selfTest.run == nil {
		return failf(http.StatusNotFound, "the program has given no self-test to httpdebug.WithSelfTest")
	}
	if v.r.Method == http.MethodHead {
		v.write(http.StatusOK, "text/plain; charset=utf-8", nil)
		return nil
	}
	if wait := h.selfTest.begin(); wait > 0 {
		after := int((wait + time.Second - 1) / time.Second)
		v.w.Header().Set("Retry-After", strconv.Itoa(after))
		return failf(http.StatusTooManyRequests,
			"a self-test is running, or has just ended; the next one may begin in %d s", after)
	}
	result := &selfTested{}
	defer func() { h.selfTest.end(result) }()
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), selfTestTimeout) // whether the visitor waits or not
	defer cancel()
	result.Error, result.Failed = guarded(v.r, func() error { return h.selfTest.run(ctx) })
	result.At, result.Took = time.Now(), time.Since(start)
	v.w.Header().Set("Location", "./#selftest")
	v.write(http.StatusSeeOther, "text/plain; charset=utf-8", []byte("dbleaks: self-test "+result.words(v.sensitive)+"\n"))
	return nil
}

// words says how it went, to a visitor who may see what is sensitive or not.
func (r *selfTested) words(sensitive bool) string {
	switch {
	case !r.Failed:
		return "passed in " + words.Duration(r.Took)
	case sensitive:
		return "failed: " + report.Clean(r.Error)
	}
	return "failed"
}

// guarded calls a function of the user's, and says whether it failed and why. What
// a panic says goes to the server's log.
func guarded(r *http.Request, f func() error) (text string, failed bool) {
	defer func() {
		if p := recover(); p != nil {
			logf(r, "dbleaks: the function given to httpdebug.WithSelfTest panicked: %v\n%s", p, debug.Stack())
			text, failed = "the function given to httpdebug.WithSelfTest panicked", true
		}
	}()
	if err := f(); err != nil {
		return err.Error(), true
	}
	return "", false
}
