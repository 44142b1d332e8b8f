package dbserver

import (
	"os"
	"path/filepath"
	"syscall"
)

// setDeathSignal has a program signalled when the thread that starts it ends.
func setDeathSignal(attr *syscall.SysProcAttr, sig os.Signal) {
	attr.Pdeathsig = sig.(syscall.Signal)
}

// lockName is the file that marks a directory as in use: its owner holds a
// lock on it, which ends with the process.
const lockName = "lock"

// lockDir marks a new directory as in use. The file gets its name when it is
// locked, so that nobody finds it without.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.Create(path + ".new")
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, os.Rename(path+".new", path)
}

// removeStale removes the directories of processes that were killed. It is no
// one's concern if that fails: another process may be doing the same.
func removeStale() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range dirs {
		if !inUse(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}

// inUse tells whether a directory's owner still runs, also if that can't be
// known.
func inUse(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return true
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}
