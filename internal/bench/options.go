package main

import (
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

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{
		parts:      names(parts)[:3],
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
		},
		passes:  30,
		slice:   10 * time.Millisecond,
		handles: 100_000,
	}
	quick := options{
		quick:         true,
		parts:         o.parts,
		contenders:    []string{nameBare, namePassThrough, nameDbleaks, nameOff},
		ops:           o.ops,
		circumstances: []load{mainLoad(""), {Depth: mainDepth, Sites: 8}, {Depth: mainDepth, Sites: len(sites)}},
		passes:        10,
		slice:         o.slice,
		handles:       10_000,
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.BoolVar(&o.quick, "quick", false, "a rough look: no peers, one depth, fewer passes, fewer handles")
	part := f.String("part", "", "`names` of what to measure, with commas between: "+strings.Join(names(parts), ",")+" (default all but the last)")
	contender := f.String("contenders", "", "`names` of what is compared with the bare driver (default all; quick: no peers)")
	op := f.String("ops", "", "`names` of operations (default all): "+strings.Join(o.ops, ","))
	passes := f.Int("passes", 0, "`number` of passes (default 30; quick: 10; on MariaDB 100 and 4)")
	slice := f.Duration("slice", 0, "`time` that one contender runs one operation in one pass (default 10ms; on MariaDB ten times that)")
	handles := f.Int("handles", 0, "`number` of open handles that are swept; the other sizes follow (default 100000; quick: 10000)")
	f.StringVar(&o.worker, "worker", "", "measure the named `contender` for another process, which asks on standard input")
	f.IntVar(&o.times, "times", 0, "run each operation this `number` of times and measure nothing, for profilers")
	f.IntVar(&o.sites, "sites", 1, fmt.Sprintf("`number` of sites, up to %d, with -times and -part instructions", len(sites)))
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.quick {
		quick.worker, quick.times, quick.sites = o.worker, o.times, o.sites
		o = quick
	}
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
	for _, list := range []struct {
		flag, value string
		into        *[]string
		known       []string
	}{
		{"part", *part, &o.parts, names(parts)},
		{"contenders", *contender, &o.contenders, names(contenders)},
		{"ops", *op, &o.ops, names(operations)},
		{"worker", o.worker, new([]string), names(contenders)},
	} {
		if list.value == "" {
			continue
		}
		*list.into = strings.Split(list.value, ",")
		for _, name := range *list.into {
			if !slices.Contains(list.known, name) {
				return o, fmt.Errorf("-%s: unknown %q; known are %s", list.flag, name, strings.Join(list.known, ","))
			}
		}
	}
	if o.times == 0 && !slices.Contains(o.contenders, nameBare) {
		o.contenders = append([]string{nameBare}, o.contenders...) // what all are compared with
	}
	return o, nil
}
