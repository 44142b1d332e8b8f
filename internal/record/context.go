package record

import (
	"context"
	"strings"
	"sync/atomic"
	"time"
)

// Terms are what is known about a handle beyond who opened it when: what its
// context says, and whom it belongs to.
type Terms struct {
	// Threshold replaces that of the handle's kind if HasThreshold is set.
	Threshold    time.Duration
	HasThreshold bool
	// LongLived is the reason for which the handle may be held for ever;
	// empty if it may not.
	LongLived string
	// Scope is the innermost scope that the context is of, or nil.
	Scope *Scope

	// The rest is found when a handle is opened, and no context carries it.

	guard  *Scope  // the test that the handle belongs to, or nil
	labels []Label // what the application calls it
	// carried are the terms of the context that these were made from.
	carried *Terms
}

// Label is a word of the application's about a handle, such as its tenant.
type Label struct{ Key, Value string }

// maxText is how much is kept of what the application calls something.
const maxText = 100 // bytes

// Clip bounds a text, and lets go of the longer one that it is part of.
func Clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(strings.Clone(s[:maxText]), "")
}

type termsKey struct{}

// anyTerms is set once a context carries terms, or there is more to know of a
// handle: until then nobody is asked.
var anyTerms atomic.Bool

// WithTerms returns a context that carries t.
func WithTerms(ctx context.Context, t Terms) context.Context {
	anyTerms.Store(true)
	return context.WithValue(ctx, termsKey{}, &t)
}

// TermsOf returns what ctx carries; nil if nothing. Without a context, which is
// a matter between the application and the driver, that's nothing.
func TermsOf(ctx context.Context) *Terms {
	if ctx == nil || !anyTerms.Load() {
		return nil
	}
	t, _ := ctx.Value(termsKey{}).(*Terms)
	return t
}

// terms are those of a handle that the calling goroutine opens with ctx; nil
// if nothing is known. Where there are neither scopes nor guards nor labels,
// it is what the context carries.
func (p *Pool) terms(ctx context.Context) *Terms {
	if !anyTerms.Load() {
		return nil
	}
	return p.reg.termsOf(ctx)
}

func (r *Registry) termsOf(ctx context.Context) *Terms {
	carried := TermsOf(ctx)
	if (carried == nil || carried.Scope == nil) && r.asked.Load() == 0 {
		return carried
	}
	var scope, guard *Scope
	if carried != nil {
		scope, guard = carried.Scope.workOf(r), carried.Scope.guardOf(r)
	}
	var labels []Label
	if r.asked.Load() > 0 {
		labels = r.labels(ctx)
		if guard == nil {
			guard = inherited().guardOf(r)
		}
	}
	if scope == nil && guard == nil && labels == nil && (carried == nil || carried.Scope == nil) {
		return carried
	}
	shareable := scope != nil && labels == nil
	if shareable {
		// Most of what a scope opens has the same terms.
		if last := scope.last.Load(); last != nil && last.carried == carried && last.guard == guard {
			return last
		}
	}
	t := &Terms{}
	if carried != nil {
		*t = *carried
	}
	t.Scope, t.guard, t.labels, t.carried = scope, guard, labels, carried
	if shareable {
		scope.last.Store(t)
	}
	return t
}

// name is that of the scope the handle belongs to, or of the test.
func (t *Terms) name() string {
	switch {
	case t == nil:
		return ""
	case t.Scope != nil:
		return t.Scope.Name()
	case t.guard != nil:
		return t.guard.Name()
	}
	return ""
}

// opened and ended count what is open in the scope and in the test.
func (t *Terms) opened() {
	if t != nil {
		t.Scope.count(1)
		t.guard.count(1)
	}
}

func (t *Terms) ended() {
	if t != nil {
		t.Scope.count(-1)
		t.guard.count(-1)
	}
}
