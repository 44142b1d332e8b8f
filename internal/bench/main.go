// Command bench measures what dbleaks costs, and prints it as Markdown: side
// by side with the bare driver and with other wrapping drivers on a driver
// without a database; with and without it on a private MariaDB; and what many
// open handles cost in memory and time.
//
//	go run -C internal/bench .                          # everything; some minutes
//	go run -C internal/bench . -quick                   # a rough look at all parts
//	go run -C internal/bench . -quick -part cost        # … at the first
//	go run -C internal/bench . -part instructions       # counted by valgrind
//
// What is compared runs interleaved, slice by slice and in changing order, so
// that a machine that slows down does so for all, and is divided pass by pass.
// Run it on a machine that does nothing else. It needs a Unix system.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	switch {
	case err != nil:
		return err
	case o.worker != "":
		return work(o.worker, stdin, stdout)
	case o.times > 0:
		return o.runOnly()
	}
	fmt.Fprintf(stdout, "%s %s/%s, %d processors\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	for _, name := range o.parts {
		if err := find(parts, name).run(ctx, o, stdout, stderr); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// part is one of the things to measure.
type part struct {
	name string
	run  func(ctx context.Context, o options, stdout, stderr io.Writer) error
}

func (p part) id() string { return p.name }

var parts = []part{{"cost", cost}, {"mariadb", mariadb}, {"scale", scale}, {"instructions", instructions}}
