package driverwrap_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/fakedriver"
)

// diffRun runs calls of database/sql on a fake database, bare or wrapped, and
// writes down what the driver and the application see. It lives in a
// testing/synctest bubble, and after each step waits until nothing moves any
// more: what database/sql does on goroutines of its own is then done as well,
// and the trace is the same each time.
type diffRun struct {
	t      *testing.T
	fake   *fakedriver.Fake
	db     *sql.DB
	unwrap func(driverConn any) any
	// observe looks at the records, if there are any, and stop ends recording:
	// nobody must notice.
	observe, stop func()

	trace []string
	head  string   // the present step
	seen  []string // by the application in the present step
	side  []string // by what unblocks it

	handles  []*diffHandle
	made     map[string]int
	contexts []*diffContext
	op       diffStep
}

// diffStep is what there is to know of the present step. It belongs to the
// step's goroutine until that waits for something or ends.
type diffStep struct {
	ctx    *diffContext // that the calls are made with
	blocks bool         // a driver call may block
	// steady is set if the context must not end during the step, as it would
	// be anybody's guess which of its calls it hits.
	steady bool
	opened *diffHandle
	sleep  time.Duration // after the calls
}

// step runs f on a goroutine of its own, as f may panic, exit, or wait for a
// connection or the end of a context, and writes down what happened.
func (r *diffRun) step(name string, f func()) {
	r.head, r.seen, r.side = name, nil, nil
	r.op = diffStep{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.guard(f)
	}()
	for i := 0; ; i++ {
		synctest.Wait()
		if diffEnded(ended) {
			break
		}
		r.unblock(i)
	}
	if r.op.opened != nil {
		r.add(r.op.opened)
	}
	time.Sleep(r.op.sleep) // in the bubble's time
	synctest.Wait()
	r.fake.Script()
	r.writeDown()
}

// guard logs how f ends if it doesn't return.
func (r *diffRun) guard(f func()) {
	returned := false
	defer func() {
		if v := recover(); v != nil {
			r.log("panic: %s", diffPanic(v))
		} else if !returned {
			r.log("goexit")
		}
	}()
	f()
	returned = true
}

func diffPanic(v any) string {
	if err, ok := v.(error); ok {
		return diffError(err)
	}
	return fakedriver.Format(v)
}

func diffEnded(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// title names the step's call in the trace.
func (r *diffRun) title(format string, args ...any) {
	r.head += " " + fmt.Sprintf(format, args...)
}

// log notes what the application sees.
func (r *diffRun) log(format string, args ...any) {
	r.seen = append(r.seen, fmt.Sprintf(format, args...))
}

// writeDown ends a step: the application's view, then the driver's, then the
// counters.
func (r *diffRun) writeDown() {
	r.trace = append(r.trace, r.head)
	for _, lines := range [][]string{r.seen, r.side, r.driverCalls()} {
		for _, line := range lines {
			r.trace = append(r.trace, "\t"+line)
		}
	}
	if r.db != nil {
		r.trace = append(r.trace, fmt.Sprintf("\tstats %+v", r.db.Stats()))
	}
}

// driverCalls returns the driver calls since it was last called. Statements
// that are closed in a row are sorted: database/sql closes those of a
// connection in the order of a map.
func (r *diffRun) driverCalls() []string {
	var out []string
	closes := 0 // at the end of out
	for _, c := range r.fake.TakeCalls() {
		line := "driver: " + c.String()
		if c.Ctx != nil && !strings.HasPrefix(c.Object, "rows") {
			line += " " + r.describeContext(c.Ctx)
		}
		out = append(out, line)
		if strings.HasPrefix(c.Object, "stmt") && c.Method == "Close" {
			closes++
			slices.Sort(out[len(out)-closes:])
		} else {
			closes = 0
		}
	}
	return out
}

// unblock lets a step go on that waits: for the end of its context if the
// driver was told to, or else for a connection.
func (r *diffRun) unblock(attempt int) {
	c := r.op.ctx
	if !r.op.blocks && attempt < 3 { // a second one if the first was broken
		if h := r.holder(); h != nil {
			r.side = append(r.side, "made room: "+r.finish(h))
			return
		}
	}
	switch {
	case c == nil || attempt > 10:
		r.t.Fatalf("stuck: %s\n%s", r.head, strings.Join(r.trace, "\n"))
	case c.timeout > 0 && !r.timed(c):
		time.Sleep(c.timeout)
	case c.cancel != nil:
		c.cancel()
	default:
		r.t.Fatalf("stuck without a way to cancel: %s\n%s", r.head, strings.Join(r.trace, "\n"))
	}
}

// timed reports whether another context than c will end by itself. Whoever
// waits for that may then have to wait for a lock that the present call has,
// and meanwhile a bubble's time stands still.
func (r *diffRun) timed(c *diffContext) bool {
	return slices.ContainsFunc(r.contexts, func(other *diffContext) bool {
		return other != c && other.timeout > 0 && other.Err() == nil
	})
}

// end closes what is left, and the DB last.
func (r *diffRun) end() {
	for _, h := range slices.Backward(r.handles) {
		if !h.over {
			r.step("end", func() { r.title("%s", h.name); r.log("%s", r.finish(h)) })
		}
	}
	r.step("end", func() { r.title("db.Close"); r.logError(r.db.Close()) })
	for _, c := range r.contexts {
		if c.cancel != nil {
			c.cancel()
		}
	}
	// A pool's cleaner that was started after the pool was closed ends with
	// its next turn.
	time.Sleep(time.Minute)
	synctest.Wait()
	r.step("left open", func() { r.log("%v", r.fake.Open()) })
}

// diffContext is a context that a step's calls are made with.
type diffContext struct {
	context.Context
	name    string
	cancel  func()        // nil if it can't end
	fresh   bool          // no earlier call has it
	timeout time.Duration // when it ends by itself
}
