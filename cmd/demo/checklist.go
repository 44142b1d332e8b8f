package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// checklist compares what the tracker lists with what is planted.
type checklist struct {
	items []item
	// wrong are findings at lines where nothing is planted, by their ID.
	// They stay when they are over: they were listed.
	wrong map[string]tracker.Finding
}

// item is a planted bug and what is known of it.
type item struct {
	bug
	place   place
	finding tracker.Finding // the zero Finding if there is none
}

func newChecklist() (*checklist, error) {
	at, err := places("BUG")
	if err != nil {
		return nil, err
	}
	c := &checklist{wrong: make(map[string]tracker.Finding)}
	for _, b := range bugs {
		p, ok := at[b.name]
		if !ok {
			return nil, fmt.Errorf("bug %s has no line that is marked with it", b.name)
		}
		c.items = append(c.items, item{bug: b, place: p})
	}
	return c, nil
}

// grows tells if the bug is found by its growth: when more and more is open.
func (i *item) grows() bool { return i.kind == tracker.KindStmt || i.kind == tracker.KindDB }

// found tells if what the bug lost is listed with the verdict that it must
// come to: all of it, unless it is found by its growth.
func (i *item) found() bool {
	return i.finding.State == i.state && (i.finding.Count == i.times || i.grows())
}

// status says what is known of the bug.
func (i *item) status() string {
	f := i.finding
	switch {
	case f.Count == 0:
		return "not yet"
	case i.grows() && f.Proof == "":
		return fmt.Sprintf("%v: growing, %d open", f.State, f.Count)
	case f.Proof != "":
		return fmt.Sprintf("%v: %v, %d of %d", f.State, f.Proof, f.Count, i.times)
	}
	return fmt.Sprintf("%v, %d of %d", f.State, f.Count, i.times)
}

// planted returns the bug of a finding, nil if there is none at that line.
func (c *checklist) planted(f tracker.Finding) *item {
	at := place{filepath.Base(filepath.FromSlash(f.Site.File)), f.Site.Line}
	for i := range c.items {
		if c.items[i].place == at && c.items[i].kind == f.Kind {
			return &c.items[i]
		}
	}
	return nil
}

// unexpected tells if a finding is neither of a bug nor of a pool that hangs on
// request.
func (c *checklist) unexpected(f tracker.Finding) bool { return c.planted(f) == nil && !isHang(f.Pool) }

// update takes in a snapshot and reports whether it changed anything.
func (c *checklist) update(s tracker.Snapshot) (changed bool) {
	for _, f := range s.Findings {
		i := c.planted(f)
		if i == nil && isHang(f.Pool) {
			continue
		}
		if i == nil {
			_, known := c.wrong[f.ID]
			c.wrong[f.ID] = f
			changed = changed || !known
			continue
		}
		before := i.status()
		i.finding = f
		changed = changed || i.status() != before
	}
	// What was listed and is over by now counts as well.
	for _, e := range s.Ended {
		if _, known := c.wrong[e.Finding.ID]; c.unexpected(e.Finding) && !known {
			c.wrong[e.Finding.ID] = e.Finding
			changed = true
		}
	}
	return changed
}

// missing are the bugs that are not found yet.
func (c *checklist) missing() []item {
	return slices.DeleteFunc(slices.Clone(c.items), func(i item) bool { return i.found() })
}

// quiet tells if nothing is open but what the bugs have lost. It leaves out
// statements: one that was closed while its connection was in use ends with
// that use, and some connections here are in use for ever.
func (c *checklist) quiet(s tracker.Snapshot) bool {
	return !slices.ContainsFunc(s.Open, func(f tracker.Finding) bool {
		return f.Kind != tracker.KindStmt && c.unexpected(f)
	})
}

// check returns an error for each finding that should not be there and, if
// all were due, for each bug that was not found.
func (c *checklist) check(due bool) error {
	var errs []error
	if due {
		for _, i := range c.missing() {
			errs = append(errs, fmt.Errorf("%v leak %s at %v: %s; it should be %v", i.kind, i.name, i.place, i.status(), i.state))
		}
	}
	for _, f := range c.notPlanted() {
		errs = append(errs, errors.New(notPlanted(f)))
	}
	return errors.Join(errs...)
}

// notPlanted are the findings that should not be there, in a stable order.
func (c *checklist) notPlanted() []tracker.Finding {
	return slices.SortedFunc(maps.Values(c.wrong), func(a, b tracker.Finding) int { return cmp.Compare(a.ID, b.ID) })
}

// verdict is the checklist in a line.
func (c *checklist) verdict() string {
	return fmt.Sprintf("%d of %d found; innocent look-alikes listed: %d of %d",
		len(c.items)-len(c.missing()), len(c.items), len(c.wrong), len(innocents))
}

// updateAtExit takes in the exit report, in which nothing innocent may be
// either.
func (c *checklist) updateAtExit(r tracker.Report) {
	for _, f := range r.Findings {
		if c.unexpected(f) {
			c.wrong[f.ID] = f
		}
	}
}

func notPlanted(f tracker.Finding) string {
	return fmt.Sprintf("listed though nothing is planted there: %v at %s:%d, %v (%s)", f.Kind, f.Site.File, f.Site.Line, f.State, f.Reason)
}
