package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/dbleaks-go/dbleaks/internal/report"
)

// What the command exits with.
const (
	exitFine  = 0 // it did what was asked; for check: nothing is overdue or leaked
	exitFound = 1 // check: something is, or a pool is exhausted
	exitError = 2 // the service can't be asked, or the arguments are wrong
)

const usage = `dbleaks asks a running service which database/sql handles it holds.

    dbleaks doctor URL    say what is the matter with the service's pools: who
                          holds connections, who waits, and for whom
    dbleaks report URL    print what the service holds
    dbleaks check URL     exit 1, with the reason, if something is overdue or
                          leaked, or a pool is exhausted, 0 if not, 2 if the
                          service can't be asked
    dbleaks version       print the version
    dbleaks help          print this

URL is where the service mounts package httpdebug: localhost:6060 stands for
http://localhost:6060/debug/dbleaks/. Flags may come before or after it:

    -json           doctor, report: print the document (schema dbleaks/v1) as it is
    -timeout D      how long to wait for the whole answer (default 10s)

and, for report and check,

    -pool NAME      only this pool
    -kind KIND      only this kind: db, conn, tx, rows (also row), row, stmt
    -state STATE    only this state: open, overdue, leaked, recovered
    -min-age D      only what is at least so old, as in 90s, 5m, 1h30m
    -func TEXT      only where a function in the stack has this in its name
    -id ID          only this finding, by the ID that the page and -json show
`

// run is the whole command; it returns the status to exit with.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	status, err := dispatch(ctx, args, stdout)
	if err != nil {
		fmt.Fprintf(stderr, "dbleaks: %s\n", report.Clean(err.Error()))
		return exitError
	}
	return status
}

func dispatch(ctx context.Context, args []string, stdout io.Writer) (int, error) {
	if len(args) == 0 {
		return exitError, errors.New("nothing to do: give doctor, report, check, version or help")
	}
	var status int
	var err error
	switch name := args[0]; name {
	case "doctor":
		status, err = runDoctor(ctx, args[1:], stdout)
	case "report":
		status, err = runReport(ctx, args[1:], stdout)
	case "check":
		status, err = runCheck(ctx, args[1:], stdout)
	case "version", "-version", "--version":
		_, err = fmt.Fprintln(stdout, version())
	case "help", "-h", "-help", "--help":
		_, err = io.WriteString(stdout, usage)
	default:
		err = fmt.Errorf("no command %q: there are doctor, report, check, version and help", name)
	}
	if errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(stdout, usage)
		return exitFine, err
	}
	return status, err
}

func version() string {
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return fmt.Sprintf("dbleaks %s, schema %s, %s", v, report.Schema, runtime.Version())
}
