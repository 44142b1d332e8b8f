package dbserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// dirPrefix begins the names of the servers' directories in os.TempDir.
const dirPrefix = "dbleaks-server-"

// tempDir is a server's directory: everything that it writes is in there.
type tempDir struct {
	path string
	log  *os.File // output of all programs that were run for the server
	lock *os.File // held as long as the directory is in use; see removeStale
	attr *syscall.SysProcAttr
	uid  int // owner; -1 for the owner of this process
	gid  int
}

// newTempDir makes a directory. If this process is root's, it belongs to the
// first of the users that exists.
func newTempDir(users []string) (*tempDir, error) {
	path, err := os.MkdirTemp("", dirPrefix)
	if err != nil {
		return nil, err
	}
	d := &tempDir{path: path, uid: -1, gid: -1}
	if err := d.init(users); err != nil {
		return nil, errors.Join(err, d.remove())
	}
	return d, nil
}

func (d *tempDir) init(users []string) error {
	var err error
	if d.lock, err = lockDir(d.path); err != nil {
		return err
	}
	if d.log, err = os.OpenFile(d.file("log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if d.uid, d.gid, err = lookupUser(users); err != nil {
			return err
		}
	}
	d.attr = sysProcAttr(d.uid, d.gid)
	return os.Chown(d.path, d.uid, d.gid)
}

// file is the path of a file in the directory.
func (d *tempDir) file(name string) string { return filepath.Join(d.path, name) }

// write makes a file that only the server's user can read.
func (d *tempDir) write(name, content string) error {
	if err := os.WriteFile(d.file(name), []byte(content), 0o600); err != nil {
		return err
	}
	return os.Chown(d.file(name), d.uid, d.gid)
}

// remove deletes the directory with all it holds.
func (d *tempDir) remove() error {
	err := os.RemoveAll(d.path)
	for _, f := range []*os.File{d.log, d.lock} {
		if f != nil {
			f.Close()
		}
	}
	return err
}

// cmd makes a command that runs as the server's user in its directory, with
// its output in the log.
func (d *tempDir) cmd(ctx context.Context, argv []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = d.path
	// The messages of the log are looked at: see addressInUse.
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+d.path, "TMPDIR="+d.path)
	cmd.Stdout, cmd.Stderr = d.log, d.log
	attr := *d.attr
	cmd.SysProcAttr = &attr
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	return cmd
}

// run runs a program to its end.
func (d *tempDir) run(ctx context.Context, argv ...string) error {
	p, err := startProcess(d.cmd(ctx, argv), os.Kill)
	if err == nil {
		<-p.done
		err = p.err
	}
	switch {
	case errors.Is(err, os.ErrPermission):
		// The server's user stumbles over the directory before the program.
		return fmt.Errorf("%w: can user %d enter %s? TMPDIR tells where it is made", err, d.uid, d.path)
	case err != nil:
		return fmt.Errorf("%s: %w%s", argv[0], errors.Join(ctx.Err(), err), d.logTail())
	}
	return nil
}

// start starts the server. It outlives the start's context.
func (d *tempDir) start(argv []string, stop os.Signal) (*process, error) {
	if err := d.log.Truncate(0); err != nil {
		return nil, err
	}
	return startProcess(d.cmd(context.Background(), argv), stop)
}

// logTail returns the last lines of the log, introduced for the end of an
// error text.
func (d *tempDir) logTail() string {
	const limit = 4 << 10
	info, err := d.log.Stat()
	if err != nil {
		return fmt.Sprintf("\n(no log: %v)", err)
	}
	text, err := io.ReadAll(io.NewSectionReader(d.log, info.Size()-min(limit, info.Size()), limit))
	if err != nil {
		return fmt.Sprintf("\n(no log: %v)", err)
	}
	if len(text) == 0 {
		return " (its log is empty)"
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	lines = lines[max(0, len(lines)-20):]
	return "\nThe end of its log:\n\t" + strings.Join(lines, "\n\t")
}

// addressInUse tells from a server's log that its port was taken.
func addressInUse(log string) bool { return strings.Contains(log, "Address already in use") }

// freePort returns a loopback port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
