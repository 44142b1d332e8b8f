package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// options are what the command line asks for.
type options struct {
	quick      bool
	parts      []string
	contenders []string
	ops        []string
	// circumstances are loads but for their operation.
	circumstances []load
	passes        int
	slice         time.Duration
	handles       int

	// How this program uses itself.
	worker string
	times  int
	sites  int // of what is run so, or counted
}

// fully and quickly are the defaults, and those of a quick run.
var (
	fully = options{
		contenders: names(contenders),
		ops:        names(operations),
		circumstances: []load{
			mainLoad(""),
			{Depth: 10, Sites: 1},
			{Depth: 60, Sites: 1},
			{Depth: mainDepth, Sites: 8},
			{Depth: mainDepth, Sites: len(sites)},
			{Depth: 10, Sites: 1, Parallel: true},
			{Depth: mainDepth, Sites: 1, Parallel: true},
			{Depth: 60, Sites: 1, Parallel: true},
			{Depth: mainDepth, Sites: 1, Parallel: true, Apart: true},
		},
		passes:  20,
		slice:   30 * time.Millisecond,
		handles: 100_000,
	}
	quickly = options{
		quick:      true,
		contenders: []string{nameBare, namePassThrough, nameDbleaks, nameOff},
		ops:        names(operations),
		circumstances: []load{
			mainLoad(""),
			{Depth: mainDepth, Sites: 8},
			{Depth: mainDepth, Sites: len(sites)},
		},
		passes:  6,
		slice:   20 * time.Millisecond,
		handles: 10_000,
	}
)

func parse(args []string, stderr io.Writer) (options, error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	quick := f.Bool("quick", false, "a rough look: no peers, one depth, fewer passes, fewer handles")
	part := f.String("part", "", "`names` of what to measure, with commas between: "+strings.Join(names(parts), ",")+" (default all but the last)")
	contender := f.String("contenders", "", "`names` of what is compared with the bare driver (default all; quick: no peers)")
	op := f.String("ops", "", "`names` of operations (default all): "+strings.Join(fully.ops, ","))
	passes := f.Int("passes", 0, "`number` of passes (default 20; quick: 6; on MariaDB as many rounds of 20 passes, quick: one round)")
	slice := f.Duration("slice", 0, "`time` that one contender runs one operation in one pass (default 30ms, several garbage collections; quick: 20ms)")
	handles := f.Int("handles", 0, "`number` of open handles that are swept; the other sizes follow (default 100000; quick: 10000)")
	worker := f.String("worker", "", "measure the named `contender` for another process, which asks on standard input")
	times := f.Int("times", 0, "run each operation this `number` of times and measure nothing, for profilers")
	places := f.Int("sites", 1, fmt.Sprintf("`number` of sites, up to %d, with -times and -part instructions", len(sites)))
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	o := fully
	if *quick {
		o = quickly
	}
	o.parts, o.worker, o.times, o.sites = names(parts)[:3], *worker, *times, *places
	if o.sites < 1 || o.sites > len(sites) {
		return o, fmt.Errorf("-sites: %d is not between 1 and %d", o.sites, len(sites))
	}
	if *passes > 0 {
		o.passes = *passes
	}
	if *slice > 0 {
		o.slice = *slice
	}
	if *handles > 0 {
		o.handles = *handles
	}
	err := errors.Join(
		choose("part", *part, names(parts), &o.parts),
		choose("contenders", *contender, names(contenders), &o.contenders),
		choose("ops", *op, names(operations), &o.ops),
		choose("worker", *worker, names(contenders), new([]string)),
	)
	if o.times == 0 && !slices.Contains(o.contenders, nameBare) {
		o.contenders = append([]string{nameBare}, o.contenders...) // what all are compared with
	}
	return o, err
}

// choose splits the value of a flag, if it has one, into names that are known.
func choose(flag, value string, known []string, into *[]string) error {
	if value == "" {
		return nil
	}
	*into = strings.Split(value, ",")
	for _, name := range *into {
		if !slices.Contains(known, name) {
			return fmt.Errorf("-%s: unknown %q; known are %s", flag, name, strings.Join(known, ","))
		}
	}
	return nil
}
