package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The contender with runtime.Callers is measured in a process of its own,
// which ends when it is not needed any more.
func TestWorker(t *testing.T) {
	var built programs
	defer func() {
		if err := built.remove(); err != nil {
			t.Error(err)
		}
	}()
	c := find(contenders, nameCallers)
	program, err := built.of(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := built.of(t.Context(), c); err != nil || again != program {
		t.Errorf("built twice: %q, %v", again, err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "version", "-m", program).Output(); err != nil || !strings.Contains(string(out), "dbleaks_callers") {
		t.Errorf("it was built without the tag (%v):\n%s", err, out)
	}
	w, err := startWorker(t.Context(), program, c.name)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []load{mainLoad("Query"), {Op: "Scan", Depth: 10, Sites: 1, Parallel: true}} {
		s, err := w.measure(l, 100)
		if want := 100 * l.goroutines() * find(operations, l.Op).per; err != nil || s.Ops != want || s.Wall <= 0 || s.Allocs < uint64(want) {
			t.Errorf("%s: %+v, %v, want %d operations", l.Op, s, err, want)
		}
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
	if _, err := w.measure(mainLoad("Query"), 1); err == nil {
		t.Error("a worker that ended answers")
	}
}

func TestWorkOnWhatIsNoQuestion(t *testing.T) {
	var out strings.Builder
	if err := work(nameBare, strings.NewReader("{"), &out); err == nil {
		t.Error("no error")
	}
}
