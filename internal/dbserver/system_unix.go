//go:build unix

package dbserver

import (
	"os"
	"syscall"
)

// sysProcAttr runs a program as a user, unless uid is negative, and in a
// process group of its own: Ctrl-C in a terminal is for this process, which
// still wants to talk to its server.
func sysProcAttr(uid, gid int) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if uid >= 0 {
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return attr
}

// killGroup kills a program that startProcess started, with its children.
func killGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }

// supported: see system_windows.go.
const supported = true
