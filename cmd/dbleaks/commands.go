package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/report"
)

// runReport prints what the service holds.
func runReport(ctx context.Context, args []string, stdout io.Writer) (int, error) {
	return show(ctx, "report", args, stdout, report.WriteText)
}

// runDoctor prints what is the matter with the service's pools.
func runDoctor(ctx context.Context, args []string, stdout io.Writer) (int, error) {
	return show(ctx, "doctor", args, stdout, report.WriteDoctor)
}

// show prints the document that the command asks the service for.
func show(ctx context.Context, command string, args []string, stdout io.Writer, format func(io.Writer, report.Document) error) (int, error) {
	req, err := parseArgs(command, args)
	if err != nil {
		return exitError, err
	}
	data, d, err := fetch(ctx, req)
	if err != nil {
		return exitError, err
	}
	if req.json {
		// As the service wrote it: it may know fields that we don't.
		_, err = stdout.Write(report.SafeJSON(data))
	} else {
		err = format(stdout, d)
	}
	return exitFine, err
}

// runCheck says whether something is overdue, leaked or, unless some handles
// alone are asked about, exhausted, and what.
func runCheck(ctx context.Context, args []string, stdout io.Writer) (int, error) {
	req, err := parseArgs("check", args)
	if err != nil {
		return exitError, err
	}
	if s := req.filter.State; s == "open" || s == "recovered" {
		return exitError, fmt.Errorf("check: -state: %q is never an alarm; check looks for overdue and leaked", s)
	}
	_, d, err := fetch(ctx, req)
	if err != nil {
		return exitError, err
	}
	d = d.Printable()
	if _, err := io.WriteString(stdout, verdict(d)); err != nil {
		return exitError, err
	}
	if len(d.Findings) > 0 || len(d.Exhausted()) > 0 && req.filter == (report.Filter{Pool: req.filter.Pool}) {
		return exitFound, nil
	}
	return exitFine, nil
}

func verdict(d report.Document) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", d.Process.Words(), d.Headline())
	if len(d.Pools) == 0 {
		b.WriteString("No pool is watched there: is the database opened through driverwrap, and is the filter right?\n")
	}
	for _, p := range d.Exhausted() {
		fmt.Fprintf(&b, "pool %s: %s\n", p.Name, p.Exhausted.Reason)
	}
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "%s, opened at %s\n", f.Headline(), f.Site.Short())
	}
	return b.String()
}
