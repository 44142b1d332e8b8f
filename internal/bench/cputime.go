//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTime is the user and system time that the process has used so far, on
// all of its threads.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // RUSAGE_SELF always works
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
