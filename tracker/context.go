package tracker

import (
	"context"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// WithThreshold returns a context with which handles are overdue after d
// without activity, instead of after the threshold of their kind or site. 0
// means never; a negative d counts as 0.
func WithThreshold(ctx context.Context, d time.Duration) context.Context {
	terms := termsOf(ctx)
	terms.Threshold, terms.HasThreshold = max(0, d), true
	return record.WithTerms(ctx, terms)
}

// LongLived returns a context with which handles are held on purpose: a
// connection that listens or keeps a lock. They are listed with the reason
// and are never overdue. An empty reason counts as "on purpose".
func LongLived(ctx context.Context, reason string) context.Context {
	if reason == "" {
		reason = "on purpose"
	}
	terms := termsOf(ctx)
	terms.LongLived = reason
	return record.WithTerms(ctx, terms)
}

func termsOf(ctx context.Context) record.Terms {
	if t := record.TermsOf(ctx); t != nil {
		return *t
	}
	return record.Terms{}
}
