package report_test

import (
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
)

func TestOverheadWords(t *testing.T) {
	now := reporttest.Now
	tests := []struct {
		overhead report.Overhead
		want     string
	}{
		{report.Overhead{}, "0 bytes for 0 connections, 0 handles and 0 stacks"},
		{
			report.Overhead{Bytes: 20 << 10, Connections: 1, Handles: 1, Stacks: 1, Sweeps: 1, LastSweep: now.Add(-time.Minute), LastTookSeconds: 0.000184},
			"20 KiB for 1 connection, 1 handle and 1 stack; 1 sweep, the last one 1m ago, in 184µs",
		},
		{
			report.Overhead{Bytes: 20 << 20, Connections: 9, Handles: 8, Stacks: 7, Sweeps: 6, LastSweep: now, LastTookSeconds: 0.0225, LeakProfiles: 3, LeakProfileSeconds: 0.013},
			"20 MiB for 9 connections, 8 handles and 7 stacks; 6 sweeps, the last one 0s ago, in 23ms; 3 goroutine-leak profiles, the last one in 13ms",
		},
	}
	for _, tt := range tests {
		if got := tt.overhead.Words(now); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestSelfTestWords(t *testing.T) {
	now := reporttest.Now
	at := now.Add(-3 * time.Hour)
	for want, s := range map[string]report.SelfTest{
		"passed 3h ago: a leak on purpose was proven (unreachable) within 5ms": {At: at, Passed: true, Proof: "unreachable", TookSeconds: 0.005},
		"failed 3h ago: no connection":                                         {At: at, Error: "no connection"},
		"failed 3h ago":                                                        {At: at},
	} {
		if got := s.Words(now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
