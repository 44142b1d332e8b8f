package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
)

// Where clocks are too noisy, instructions can be counted: valgrind's callgrind
// runs the program on a processor of its own making, always the same. What a
// start costs cancels out between a run with few operations and one with
// more. The garbage collector is off, and with it what allocations cost later.

// counted is how many operations one run has more than the other. Runs of the
// same program differ by some hundred thousand instructions.
const counted = 20_000

// instructions counts the instructions of each operation, for each contender,
// and prints them.
func instructions(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	var built programs
	defer func() { err = errors.Join(err, built.remove()) }()
	counts := make(map[string]map[string]float64) // by operation and contender
	for _, op := range o.ops {
		counts[op] = make(map[string]float64)
		for _, name := range o.contenders {
			fmt.Fprintf(stderr, "counting the instructions of %s: %s\n", name, op)
			program, err := built.of(ctx, find(contenders, name))
			if err != nil {
				return err
			}
			per := find(operations, op).per
			few, more := 1000/per, 1000/per+max(50, counted/per)
			least, err := callgrind(ctx, program, name, op, o.sites, few)
			if err != nil {
				return err
			}
			most, err := callgrind(ctx, program, name, op, o.sites, more)
			if err != nil {
				return err
			}
			counts[op][name] = float64(most-least) / float64((more-few)*per)
		}
	}
	o.print(stdout, "instructions (× bare)", mainLoad(""), func(l load, name string) string {
		n := counts[l.Op][name]
		return fmt.Sprintf("%.0f (%.3f)", n, n/counts[l.Op][nameBare])
	})
	return nil
}

var collected = regexp.MustCompile(`Collected : (\d+)`)

// callgrind counts the instructions of a run of the program.
func callgrind(ctx context.Context, program, contender, op string, sites, times int) (int64, error) {
	cmd := exec.CommandContext(ctx, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
		program, "-contenders", contender, "-ops", op, "-sites", strconv.Itoa(sites), "-times", strconv.Itoa(times))
	// One thread, no collector, no signals: as little as possible that is
	// left to chance.
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	m := collected.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%v tells no number of instructions:\n%s", cmd, out)
	}
	return strconv.ParseInt(string(m[1]), 10, 64)
}
