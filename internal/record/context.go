package record

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/reach"
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

	guard  *Scope      // the test that the handle belongs to, or nil
	labels []Label     // what the application calls it
	end    *contextEnd // of the handle's context, in a scope
	// carried are the terms of the context that these were made from.
	carried *Terms
}

// contextEnd knows when a context is over. It doesn't keep it.
type contextEnd struct {
	done    atomic.Pointer[<-chan struct{}] // nil once nobody asks any more
	bubbled bool                            // done is a testing/synctest bubble's
}

// is reports whether the context's channel is done.
func (e *contextEnd) is(done <-chan struct{}) bool {
	p := e.done.Load()
	return p != nil && *p == done
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

// WithTerms returns a context that carries t.
func WithTerms(ctx context.Context, t Terms) context.Context {
	return context.WithValue(ctx, termsKey{}, &t)
}

// TermsOf returns what ctx carries; nil if nothing. Without a context, which is
// a matter between the application and the driver, that's nothing.
func TermsOf(ctx context.Context) *Terms {
	if ctx == nil {
		return nil
	}
	t, _ := ctx.Value(termsKey{}).(*Terms)
	return t
}

// terms are those of a handle that the calling goroutine opens with ctx; nil
// if nothing is known. Where there are neither scopes nor guards nor labels,
// it is what the context carries.
func (p *Pool) terms(ctx context.Context) *Terms {
	t := TermsOf(ctx)
	if (t == nil || t.Scope == nil) && p.reg.asked.Load() == 0 {
		return t
	}
	return p.reg.found(ctx, t)
}

// found completes what ctx carries.
func (r *Registry) found(ctx context.Context, carried *Terms) *Terms {
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
	var done <-chan struct{}
	running := scope != nil && !scope.over.Load()
	if running {
		done = ctx.Done()
		// Most of what a scope opens has the same context.
		last := scope.last.Load()
		if labels == nil && last != nil && last.carried == carried && last.guard == guard && last.end.is(done) {
			return last
		}
	}
	t := &Terms{}
	if carried != nil {
		*t = *carried
	}
	t.Scope, t.guard, t.labels, t.carried = scope, guard, labels, carried
	if running {
		t.end = &contextEnd{bubbled: reach.Bubbled()}
		kept := done // a variable of its own: only this one is allocated
		t.end.done.Store(&kept)
		if labels == nil {
			scope.last.Store(t)
		}
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

// contextDone reports whether the context is known to be over.
func (t *Terms) contextDone() bool {
	if t == nil || t.end == nil {
		return false
	}
	done := t.end.done.Load()
	// Reading a bubble's channel from outside of it is fatal.
	if done == nil || t.end.bubbled != reach.Bubbled() {
		return false
	}
	select {
	case <-*done:
		return true
	default:
		return false
	}
}
