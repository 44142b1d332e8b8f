package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// series are the samples of one contender under one load, pass by pass.
type series []sample

func (s series) per(value func(sample) float64) []float64 {
	out := make([]float64, len(s))
	for i, one := range s {
		out[i] = value(one) / float64(one.Ops)
	}
	return out
}

func (s series) cpu() []float64    { return s.per(func(s sample) float64 { return float64(s.CPU) }) }
func (s series) wall() []float64   { return s.per(func(s sample) float64 { return float64(s.Wall) }) }
func (s series) allocs() []float64 { return s.per(func(s sample) float64 { return float64(s.Allocs) }) }
func (s series) bytes() []float64  { return s.per(func(s sample) float64 { return float64(s.Bytes) }) }

// results are all series, by load and contender.
type results map[load]map[string]series

// ratio is the contender's CPU time in that of the bare driver.
func (r results) ratio(l load, contender string) []float64 {
	return ratios(r[l][contender].cpu(), r[l][nameBare].cpu())
}

// interleave measures every contender under every load, pass after pass; under
// others than the main ones only in every fourth pass. Each pass has an order
// of its own, so that nobody always comes after the same. It tells w how far
// it is.
func interleave(ctx context.Context, w io.Writer, names []string, subjects map[string]subject, loads []load, passes int, slice time.Duration) (results, error) {
	n := make(map[string]map[string]int) // by operation and contender
	out := make(results)
	for _, l := range loads {
		out[l] = make(map[string]series)
		if n[l.Op] != nil {
			continue
		}
		n[l.Op] = make(map[string]int)
		for _, name := range names {
			var err error
			if n[l.Op][name], err = repetitions(subjects[name], mainLoad(l.Op), slice); err != nil {
				return nil, fmt.Errorf("%s of %s: %w", l.Op, name, err)
			}
		}
	}
	for pass := range passes {
		fmt.Fprintf(w, "pass %d of %d\n", pass+1, passes)
		for _, l := range loads {
			if pass%4 != 0 && l != mainLoad(l.Op) {
				continue
			}
			for _, i := range order(pass, len(names)) {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				name := names[i]
				s, err := subjects[name].measure(l, n[l.Op][name])
				if err != nil {
					return nil, fmt.Errorf("%s of %s: %w", l.Op, name, err)
				}
				out[l][name] = append(out[l][name], s)
			}
		}
	}
	return out, nil
}

// order is the order of n contenders in a pass, the same in every run.
func order(pass, n int) []int { return rand.New(rand.NewPCG(uint64(n), uint64(pass))).Perm(n) }
