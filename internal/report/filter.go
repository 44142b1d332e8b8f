package report

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// The query parameters of a filter.
const (
	ParamPool     = "pool"
	ParamKind     = "kind"
	ParamState    = "state"
	ParamMinAge   = "min_age"
	ParamFunction = "func"
	ParamID       = "id"
)

// Kinds and States are the values that the parameters kind and state take.
// The kind rows stands for row as well.
var (
	Kinds  = []string{"db", "conn", "tx", "rows", "row", "stmt", "session"}
	States = []string{"open", "overdue", "leaked", "recovered"}
)

// Filter says which findings to show. Its zero value shows all; each field
// that is set narrows the choice further.
type Filter struct {
	Pool   string // the pool's exact name, raw or as Clean shows it
	Kind   string // one of Kinds
	State  string // one of States
	MinAge time.Duration
	// Function is a text to be found, without regard to case, in a function
	// that the handles were opened in, or in one of its callers.
	Function string
	// ID is that of one finding or group of open handles. It narrows pools and
	// refusals too, to those of its pool.
	ID string
}

// ParamError is an error about one parameter of a filter.
type ParamError struct {
	Name string // of the parameter
	Err  error
}

// Error names the parameter and says what is wrong with it.
func (e *ParamError) Error() string { return "parameter " + e.Name + ": " + e.Err.Error() }

// Unwrap returns what is wrong with the parameter's value.
func (e *ParamError) Unwrap() error { return e.Err }

// ParseFilter reads a filter from a query string. Empty values count as not
// given, as a form sends them, and parameters that are no filter are ignored.
// An error is a [ParamError].
func ParseFilter(q url.Values) (Filter, error) {
	var f Filter
	for _, p := range []struct {
		name string
		set  func(value string) error
	}{
		{ParamPool, func(v string) error { f.Pool = v; return nil }},
		{ParamKind, func(v string) error { f.Kind = v; return oneOf(Kinds, v) }},
		{ParamState, func(v string) error { f.State = v; return oneOf(States, v) }},
		{ParamMinAge, f.setMinAge},
		{ParamFunction, func(v string) error { f.Function = v; return nil }},
		{ParamID, f.setID},
	} {
		values := slices.DeleteFunc(slices.Clone(q[p.name]), func(v string) bool { return v == "" })
		switch len(values) {
		case 0:
			continue
		case 1:
		default:
			return Filter{}, &ParamError{p.name, fmt.Errorf("given %d times", len(values))}
		}
		if err := p.set(values[0]); err != nil {
			return Filter{}, &ParamError{p.name, err}
		}
	}
	return f, nil
}

func (f *Filter) setMinAge(v string) error {
	d, err := time.ParseDuration(v)
	if err != nil {
		return fmt.Errorf("%q is no duration; write 90s, 5m or 1h30m", v)
	}
	if d < 0 {
		return fmt.Errorf("%q is negative", v)
	}
	f.MinAge = d
	return nil
}

func (f *Filter) setID(v string) error {
	if len(v) > 32 || strings.ContainsFunc(v, func(r rune) bool { return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z') }) {
		return fmt.Errorf("%q is no ID of a finding, such as 0123456789abcdef", v)
	}
	f.ID = v
	return nil
}

func oneOf(names []string, v string) error {
	if slices.Contains(names, v) {
		return nil
	}
	return fmt.Errorf("%q is none of %s", v, strings.Join(names, ", "))
}

// Values is the filter as query parameters; ParseFilter reads them back.
func (f Filter) Values() url.Values {
	q := url.Values{}
	for name, v := range map[string]string{
		ParamPool:     f.Pool,
		ParamKind:     f.Kind,
		ParamState:    f.State,
		ParamFunction: f.Function,
		ParamID:       f.ID,
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if f.MinAge > 0 {
		q.Set(ParamMinAge, f.MinAge.String())
	}
	return q
}

// Apply returns the part of a snapshot that the filter lets through. Pools
// and refusals are narrowed by the pool's name and by ID only; totals and
// thresholds stay those of the tracker.
func (f Filter) Apply(s tracker.Snapshot) tracker.Snapshot {
	if f == (Filter{}) {
		return s
	}
	s.Findings = keep(s.Findings, f.match)
	s.Open = keep(s.Open, f.match)
	s.Ended = keep(s.Ended, func(e *tracker.Ended) bool { return f.match(&e.Finding) })
	ofPool := f.ofPool
	if f.ID != "" {
		ofPool = poolsOf(s)
	}
	s.Pools = keep(s.Pools, func(p *tracker.Pool) bool { return ofPool(p.Name) })
	s.Refusals = keep(s.Refusals, func(r *tracker.Refusal) bool { return ofPool(r.Pool) })
	return s
}

// poolsOf says which pools the handles of a snapshot are of.
func poolsOf(s tracker.Snapshot) func(name string) bool {
	names := map[string]bool{}
	for _, f := range slices.Concat(s.Findings, s.Open) {
		names[f.Pool] = true
	}
	for _, e := range s.Ended {
		names[e.Finding.Pool] = true
	}
	return func(name string) bool { return names[name] }
}

// keep leaves its argument alone: a snapshot is immutable.
func keep[T any](in []T, ok func(*T) bool) []T {
	var out []T
	for i := range in {
		if ok(&in[i]) {
			out = append(out, in[i])
		}
	}
	return out
}

func (f Filter) match(x *tracker.Finding) bool {
	kind := x.Kind.String()
	switch {
	case f.ID != "" && x.ID != f.ID:
	case !f.ofPool(x.Pool):
	case f.Kind != "" && kind != f.Kind && !(f.Kind == "rows" && kind == "row"):
	case f.State != "" && x.State.String() != f.State:
	case x.Age < f.MinAge:
	default:
		return f.Function == "" || f.inStack(x)
	}
	return false
}

func (f Filter) ofPool(name string) bool {
	return f.Pool == "" || f.Pool == name || f.Pool == Clean(name)
}

func (f Filter) inStack(x *tracker.Finding) bool {
	text := strings.ToLower(f.Function)
	has := func(fr tracker.Frame) bool { return strings.Contains(strings.ToLower(fr.Function), text) }
	if has(x.Site) {
		return true
	}
	for c := range x.Callers() {
		if slices.ContainsFunc(c.Stack, has) {
			return true
		}
	}
	return false
}
