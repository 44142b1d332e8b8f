package tracker

import (
	"context"
	"errors"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

// Label is a word of the application's about a handle: for whom it was
// opened, or on whose behalf.
type Label struct{ Key, Value string }

const maxLabels = 8 // of a handle

// WithLabels adds labels to findings: a trace id, a tenant. f is called with
// the context of each call that opens a handle, on the goroutine of the call
// and before it goes on; whatever time f takes, each query takes. It should do
// no more than look values up in the context, and must not use a database. It
// is called from many goroutines at once. If it panics, the handle has no
// labels.
//
// The context is not kept. Of the labels the first 8 are, those without a key
// left out and texts cut to 100 bytes. They are in every report and log line:
// choose none that readers of these may not see.
func WithLabels(f func(context.Context) []Label) Option {
	return func(c *config) error {
		if f == nil {
			return errors.New("tracker: WithLabels: the function is nil")
		}
		c.labels = f
		return nil
	}
}

// ask has the registry ask for labels, if there is someone to answer.
func (c *config) ask(r *record.Registry) {
	if c.labels != nil {
		r.AskLabels()
	}
}

// labels asks the application's function, which must not harm the call that
// opens the handle.
func (t *Tracker) labels(ctx context.Context) (out []record.Label) {
	f := t.cfg.Load().labels
	if f == nil {
		return nil
	}
	defer func() {
		if recover() != nil {
			out = nil
		}
	}()
	all := f(ctx)
	for _, l := range all {
		switch {
		case l.Key == "":
			continue
		case out == nil:
			out = make([]record.Label, 0, min(len(all), maxLabels))
		case len(out) == maxLabels:
			return out
		}
		out = append(out, record.Label{Key: record.Clip(l.Key), Value: record.Clip(l.Value)})
	}
	return out
}

func labels(in []record.Label) []Label {
	var out []Label
	for _, l := range in {
		out = append(out, Label(l))
	}
	return out
}
