package httpdebug

import (
	"context"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// ServerView asks database servers what they see of a tracker's pools; package
// driverwrap/serverview has one, serverview.ForReports().
type ServerView interface {
	ServerView(context.Context, *tracker.Tracker) report.ServerView
}

// WithServerView adds to the diagnosis what the database servers see: of each
// connection that is held, the server's number of it, whether it sits in a
// transaction, whom it blocks, and the statement that ends it. v is asked when a
// visitor asks for a diagnosis, at no other time, at most once a second and by
// one visitor at a time, and is given 5 seconds; it connects to each server for
// that. The statements that it tells are for visitors who may see what is
// sensitive; see [Allow]. A nil v asks nobody, which is the default.
func WithServerView(v ServerView) Option {
	return func(h *handler) {
		h.servers = nil
		if v != nil {
			h.servers = &servers{view: v, turn: make(chan struct{}, 1)}
		}
	}
}

const (
	// serverTimeout bounds a look at the servers.
	serverTimeout = 5 * time.Second
	// serverSharedFor is how long a look is good enough for who asks next.
	serverSharedFor = time.Second
)

// servers shares a look at the servers among those who ask at a time.
type servers struct {
	view ServerView
	// turn is held by who looks, and guards the rest.
	turn chan struct{}
	last report.ServerView
	at   time.Time
}

// look asks the servers, unless somebody has just done so. A visitor who leaves
// doesn't end it: others may wait for the answer.
func (s *servers) look(ctx context.Context, t *tracker.Tracker) report.ServerView {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return report.ServerView{Error: ctx.Err().Error()}
	}
	if s.at.IsZero() || time.Since(s.at) >= serverSharedFor {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), serverTimeout)
		defer cancel()
		s.last = s.view.ServerView(ctx, t)
		s.at = time.Now()
	}
	return s.last
}
