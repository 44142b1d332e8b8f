package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// cost measures the contenders on the driver without a database and prints
// what they cost.
func cost(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	subjects, closeAll, err := openSubjects(ctx, o.contenders)
	defer func() { err = errors.Join(err, closeAll()) }()
	if err != nil {
		return err
	}
	r, err := interleave(ctx, stderr, o.contenders, subjects, o.loads(), o.passes, o.slice)
	if err != nil {
		return err
	}
	o.printCost(stdout, r)
	return nil
}

// loads are the operations in each of the circumstances.
func (o options) loads() (loads []load) {
	for _, op := range o.ops {
		for _, c := range o.circumstances {
			c.Op = op
			loads = append(loads, c)
		}
	}
	return loads
}

// openSubjects opens the contenders, some of them in a process of their own.
// closeAll is never nil.
func openSubjects(ctx context.Context, names []string) (subjects map[string]subject, closeAll func() error, err error) {
	var built programs
	cleanup := []func() error{built.remove}
	closeAll = func() (err error) {
		for _, f := range slices.Backward(cleanup) {
			err = errors.Join(err, f())
		}
		return err
	}
	subjects = make(map[string]subject)
	for _, name := range names {
		c := find(contenders, name)
		var s subject
		if !c.callers {
			s = openLocal(c)
		} else {
			program, err := built.of(ctx, c)
			if err != nil {
				return nil, closeAll, err
			}
			if s, err = startWorker(ctx, program, name); err != nil {
				return nil, closeAll, err
			}
		}
		cleanup = append(cleanup, s.close)
		subjects[name] = s
	}
	return subjects, closeAll, nil
}

// printCost prints what the main load costs, and the ratios under the others.
func (o options) printCost(w io.Writer, r results) {
	o.print(w, "ns of CPU (× bare)", mainLoad(""), func(l load, name string) string {
		return fmt.Sprintf("%.0f (%.2f)", median(r[l][name].cpu()), median(r.ratio(l, name)))
	})
	o.print(w, "ns of wall time", mainLoad(""), func(l load, name string) string {
		return fmt.Sprintf("%.0f", median(r[l][name].wall()))
	})
	o.print(w, "bytes in allocations", mainLoad(""), func(l load, name string) string {
		return fmt.Sprintf("%.0f in %.0f", median(r[l][name].bytes()), median(r[l][name].allocs()))
	})
	o.printTargets(w, r)
	o.printLoads(w, r)
	for _, c := range o.circumstances[1:] {
		o.print(w, "CPU × bare: "+c.String(), c, func(l load, name string) string {
			return fmt.Sprintf("%.2f", median(r.ratio(l, name)))
		})
	}
}

// print prints a table of the contenders and the operations under a load.
func (o options) print(w io.Writer, title string, l load, cell func(l load, contender string) string) {
	t := table{head: o.columns(title)}
	for _, name := range o.contenders {
		row := []string{name}
		for _, op := range o.ops {
			l.Op = op
			row = append(row, cell(l, name))
		}
		t.add(row...)
	}
	t.write(w)
}

// columns are the heads of a table with a column for each operation.
func (o options) columns(title string) []string {
	head := []string{title}
	for _, op := range o.ops {
		head = append(head, find(operations, op).unit)
	}
	return head
}

// printLoads prints the ratios of dbleaks under each load.
func (o options) printLoads(w io.Writer, r results) {
	if !slices.Contains(o.contenders, nameDbleaks) {
		return
	}
	t := table{head: o.columns("CPU of dbleaks (× bare)")}
	for _, c := range o.circumstances {
		row := []string{c.String()}
		for _, op := range o.ops {
			c.Op = op
			row = append(row, fmt.Sprintf("%.2f", median(r.ratio(c, nameDbleaks))))
		}
		t.add(row...)
	}
	t.write(w)
}

// String describes the circumstances.
func (l load) String() string {
	alike := ""
	if l.Sites > 8 {
		alike = fmt.Sprintf(" (%d alike)", l.Sites-8)
	}
	dbs := ""
	if l.Apart {
		dbs = ", a DB each"
	}
	return fmt.Sprintf("%d callers, %s%s, %s%s", l.Depth, plural(l.Sites, "site"), alike, plural(l.goroutines(), "goroutine"), dbs)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
