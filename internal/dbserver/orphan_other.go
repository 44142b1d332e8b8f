//go:build !linux

package dbserver

import (
	"os"
	"syscall"
)

// Elsewhere a server outlives the process that started it, if that one is
// killed before it calls Close, and so does its directory.

func setDeathSignal(*syscall.SysProcAttr, os.Signal) {}

func lockDir(string) (*os.File, error) { return nil, nil }

func removeStale() {}
