package record

import (
	"context"
	"time"
)

// Terms are what a context says about the handles that are opened with it.
type Terms struct {
	// Threshold replaces that of the handle's kind if HasThreshold is set.
	Threshold    time.Duration
	HasThreshold bool
	// LongLived is the reason for which the handle may be held for ever;
	// empty if it may not.
	LongLived string
}

type termsKey struct{}

// WithTerms returns a context that carries t.
func WithTerms(ctx context.Context, t Terms) context.Context {
	return context.WithValue(ctx, termsKey{}, &t)
}

// TermsOf returns what ctx carries; nil if nothing.
func TermsOf(ctx context.Context) *Terms {
	t, _ := ctx.Value(termsKey{}).(*Terms)
	return t
}
