package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// A worker is this program in another process, built with other tags, that
// measures one contender when it is asked to. It does nothing in between, so
// that it can take its turn among the contenders of this process.
type worker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	ask *json.Encoder
	get *json.Decoder
}

type question struct {
	Load load
	N    int
}

type answer struct {
	Sample sample
	Error  string
}

// programs are this program, built as its contenders need it. The zero value
// is ready to use.
type programs struct{ dir, callers string }

// of returns the program that can open the contender.
func (p *programs) of(ctx context.Context, c contender) (program string, err error) {
	if !c.callers {
		return os.Executable()
	}
	if p.callers != "" {
		return p.callers, nil
	}
	if p.dir, err = os.MkdirTemp("", "dbleaks-bench"); err != nil {
		return "", err
	}
	program = filepath.Join(p.dir, "bench")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-tags=dbleaks_callers", "-o", program, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	p.callers = program
	return program, nil
}

// remove removes what was built.
func (p *programs) remove() error {
	if p.dir == "" {
		return nil
	}
	return os.RemoveAll(p.dir)
}

// startWorker starts the program as a worker that measures the contender. It
// ends with ctx at the latest.
func startWorker(ctx context.Context, program, contender string) (*worker, error) {
	cmd := exec.CommandContext(ctx, program, "-worker", contender)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &worker{cmd, in, json.NewEncoder(in), json.NewDecoder(out)}, nil
}

func (w *worker) measure(l load, n int) (sample, error) {
	if err := w.ask.Encode(question{l, n}); err != nil {
		return sample{}, err
	}
	var a answer
	if err := w.get.Decode(&a); err != nil {
		return sample{}, fmt.Errorf("%v: %w", w.cmd, err)
	}
	if a.Error != "" {
		return sample{}, errors.New(a.Error)
	}
	return a.Sample, nil
}

// close ends the worker: it ends when nobody can ask any more.
func (w *worker) close() error { return errors.Join(w.in.Close(), w.cmd.Wait()) }

// work answers questions until there are no more.
func work(name string, in io.Reader, out io.Writer) (err error) {
	s := openLocal(find(contenders, name))
	defer func() { err = errors.Join(err, s.close()) }()
	ask, get := json.NewEncoder(out), json.NewDecoder(in)
	for {
		var q question
		if err := get.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var a answer
		if a.Sample, err = s.measure(q.Load, q.N); err != nil {
			a.Error = err.Error()
		}
		if err := ask.Encode(a); err != nil {
			return err
		}
	}
}
