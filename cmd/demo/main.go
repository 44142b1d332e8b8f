// Command demo is a small web shop with leaks planted in it, under load, and
// dbleaks looking at it. It lists each leak as it is found.
//
//	go run -C cmd/demo . [-for 15s] [-hang] [-sqlite | -dsn user:password@tcp(host:3306)/]
//
// The leaks are in bugs_*.go, at the lines marked BUG; code that looks like a
// leak and isn't is in innocent_*.go, marked OK.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run runs the demo until it is interrupted. A second interrupt doesn't wait
// for it to tidy up.
func run(args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	d := &demo{options: o, screen: newScreen(stdout, o.verbose), log: stderr}
	return d.run(ctx)
}
