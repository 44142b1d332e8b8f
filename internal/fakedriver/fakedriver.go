// Package fakedriver is a database/sql driver for tests. Each of its objects
// implements the optional interfaces that a test asks for and no others,
// every call into it is traced, and what it answers is scripted: values,
// errors, panics, and blocking until a context ends.
package fakedriver

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fake is one fake database. Its exported fields must not change once it is
// in use; its methods are safe for concurrent use.
type Fake struct {
	// Has are the optional interfaces that the driver's objects implement.
	// A set that is not in [ConnSets], [StmtSets] or [RowsSets] panics when
	// the object is made.
	Has Set
	// Default answers what no [Rule] does; nil gives the zero Answer.
	Default func(*Call) Answer

	driver *fakeDriver

	mu    sync.Mutex // guards the rest
	rules []Rule
	calls []Call
	open  map[string]bool
	made  map[string]int // objects by kind
}

// New makes a fake database.
func New(has Set, def func(*Call) Answer) *Fake {
	f := &Fake{Has: has, Default: def, open: make(map[string]bool), made: make(map[string]int)}
	f.driver = &fakeDriver{f}
	return f
}

// Call is a call into the driver.
type Call struct {
	Object string // what was called: "driver", "connector", "conn1", "stmt2", "tx1", "rows1", "result1"
	Method string // as package driver calls it
	// Ctx is the context passed, or that of the query for rows. The driver
	// doesn't keep it longer than that.
	Ctx   context.Context
	Query string // the query that the object belongs to, or that was passed
	Args  []any  // but for the context
}

// kind is the kind of the object.
func (c *Call) kind() string { return strings.TrimRight(c.Object, "0123456789") }

// noContext is the context of calls that have none.
var noContext context.Context

// String writes the call as a line of a trace.
func (c Call) String() string {
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		args[i] = Format(a)
	}
	return c.Object + "." + c.Method + "(" + strings.Join(args, ", ") + ")"
}

// Answer is what the driver does when it is called. The zero Answer succeeds.
type Answer struct {
	Do     func() // is called first
	Block  bool   // until the call's context ends, if it can; the error is then that of the context, if Err is nil
	Panic  any
	Goexit bool
	Err    error
	Nil    bool // answer with neither an object nor an error
	// Value is what the method returns, where it is of that type: bool, int,
	// int64, reflect.Type; []Table for a query; the converted value for
	// CheckNamedValue and ConvertValue.
	Value any
}

// Rule scripts the answer to calls of one method.
type Rule struct {
	On     string // the kind of object, such as "conn"; all if empty
	Method string
	Skip   int // calls that it lets pass
	Times  int // calls that it answers then; 0 means one
	Answer Answer
}

// Script replaces the rules. Of those that fit a call the first one answers.
func (f *Fake) Script(rules ...Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = slices.Clone(rules)
}

// TakeCalls returns the calls since it was last called.
func (f *Fake) TakeCalls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// Open returns the names of the connections, statements, transactions and
// rows that were not closed, sorted.
func (f *Fake) Open() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for name := range f.open {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// name names a new object of a kind.
func (f *Fake) name(kind string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made[kind]++
	name := fmt.Sprintf("%s%d", kind, f.made[kind])
	f.open[name] = true
	return name
}

func (f *Fake) closed(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, name)
}

// call traces a call and does what all methods have in common.
func (f *Fake) call(c Call) Answer {
	a := f.answer(&c)
	if a.Do != nil {
		a.Do()
	}
	if a.Block && c.Ctx != nil && c.Ctx.Done() != nil {
		<-c.Ctx.Done()
		if a.Err == nil {
			a.Err = c.Ctx.Err()
		}
	}
	if a.Panic != nil {
		panic(a.Panic)
	}
	if a.Goexit {
		runtime.Goexit()
	}
	return a
}

func (f *Fake) answer(c *Call) Answer {
	if a, ok := f.scripted(c); ok || f.Default == nil {
		return a
	}
	return f.Default(c)
}

func (f *Fake) scripted(c *Call) (a Answer, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, *c)
	for i := range f.rules {
		r := &f.rules[i]
		if r.Method != c.Method || r.Times < 0 || r.On != "" && r.On != c.kind() {
			continue
		}
		if r.Skip > 0 {
			r.Skip--
			continue
		}
		if r.Times--; r.Times <= 0 {
			r.Times = -1 // used up
		}
		return r.Answer, true
	}
	return Answer{}, false
}

// or returns the answer's value if it is a T.
func or[T any](a Answer, otherwise T) T {
	if v, ok := a.Value.(T); ok {
		return v
	}
	return otherwise
}

// Format writes a value so that equal values give equal text in every run: no
// addresses, and the types that %v hides.
func Format(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case string, []byte:
		return fmt.Sprintf("%T(%q)", v, v)
	case bool, int, int64, uint64, float64, error, time.Time:
		return fmt.Sprintf("%T(%v)", v, v)
	case fmt.Stringer:
		return v.String()
	}
	return fmt.Sprintf("%T", v)
}
