// Command bench measures what dbleaks costs: side by side with the bare
// driver and other wrapping drivers, on a driver without a database.
//
//	go run -C internal/bench .            # everything, as Markdown on stdout
//	go run -C internal/bench . -quick     # a rough look at dbleaks alone
//	go run -C internal/bench . -instructions -contenders bare,pass-through,dbleaks
//
// What is compared runs interleaved, slice by slice and in rotating order, so
// that a machine that slows down does so for all. It needs a Unix system.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.worker != "" {
		return work(o.worker, stdin, stdout)
	}
	if o.times > 0 {
		return o.runOnly()
	}
	if o.instructions {
		return instructions(ctx, o, stdout, stderr)
	}
	return cost(ctx, o, stdout, stderr)
}

// options are what the command line asks for.
type options struct {
	contenders   []string
	ops          []string
	depths       []int
	modes        []bool // parallel
	passes       int
	slice        time.Duration
	worker       string
	times        int
	instructions bool
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{modes: []bool{false, true}, depths: []int{10, mainDepth, 60}, contenders: names(contenders), ops: names(operations)}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	quick := f.Bool("quick", false, "a rough look: dbleaks without its peers, few passes, one depth")
	contenders := f.String("contenders", "", "comma-separated `names` of what is compared with the bare driver (default: all; quick: no peers)")
	ops := f.String("ops", "", "comma-separated `names` of operations (default: all)")
	f.IntVar(&o.passes, "passes", 15, "`number` of passes")
	f.DurationVar(&o.slice, "slice", 20*time.Millisecond, "`time` that one contender runs one operation in one pass: several garbage collections")
	f.StringVar(&o.worker, "worker", "", "measure the named `contender` for another process, which asks on standard input")
	f.IntVar(&o.times, "times", 0, "run each operation this `number` of times and measure nothing: for profilers")
	f.BoolVar(&o.instructions, "instructions", false, "count instructions with valgrind instead of time")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if *quick {
		o.modes, o.depths = []bool{false}, []int{mainDepth}
		o.contenders = []string{nameBare, namePassThrough, nameDbleaks, nameOff}
	}
	for _, list := range []struct {
		flag, value string
		into        *[]string
		known       []string
	}{
		{"contenders", *contenders, &o.contenders, o.contenders},
		{"ops", *ops, &o.ops, o.ops},
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
	return o, nil
}
