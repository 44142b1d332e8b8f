package dbserver

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// killTimeout is the time that a server has to obey its stop signal.
const killTimeout = 10 * time.Second

// process is a program that runs.
type process struct {
	proc *os.Process
	done chan struct{} // closed when the program has ended and is waited for
	err  error         // how it ended; readable after done
}

// startProcess starts cmd. orphan is the signal that it gets if this process
// dies first, where the system can do that.
//
// The system sends that signal when the thread that started the program ends,
// and Go ends threads at will. So the goroutine that starts it has its thread
// for itself, and keeps it by waiting there until the program has ended.
func startProcess(cmd *exec.Cmd, orphan os.Signal) (*process, error) {
	setDeathSignal(cmd.SysProcAttr, orphan)
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		p.proc = cmd.Process
		started <- err
		if err != nil {
			return
		}
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, <-started
}

// exited tells whether the program has ended.
func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the program with the signal, or by force if that doesn't do, and
// waits for its end.
func (p *process) kill(stop os.Signal) error {
	// An error means that it has ended by now, or will be seen below.
	_ = p.proc.Signal(stop)
	timeout := time.NewTimer(killTimeout)
	defer timeout.Stop()
	select {
	case <-p.done:
		return nil
	case <-timeout.C:
	}
	if err := p.proc.Kill(); err != nil && !p.exited() {
		return fmt.Errorf("dbserver: kill process %d: %w", p.proc.Pid, err)
	}
	<-p.done
	return nil
}
