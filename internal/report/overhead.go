package report

import (
	"fmt"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/words"
)

// Words says what the tracker takes, as of now.
func (o Overhead) Words(now time.Time) string {
	said := fmt.Sprintf("%s for %s, %s and %s", size(o.Bytes),
		words.Plural(o.Connections, "connection"), words.Plural(o.Handles, "handle"), words.Plural(o.Stacks, "stack"))
	if o.Sweeps > 0 {
		said += fmt.Sprintf("; %s, the last one %s ago, in %s",
			words.Plural(int(o.Sweeps), "sweep"), words.Duration(now.Sub(o.LastSweep)), micros(o.LastTookSeconds))
	}
	if o.LeakProfiles > 0 {
		said += fmt.Sprintf("; %s, the last one in %s",
			words.Plural(int(o.LeakProfiles), "goroutine-leak profile"), words.Duration(Seconds(o.LeakProfileSeconds)))
	}
	return said
}

func size(bytes uint64) string {
	switch {
	case bytes < 10<<10:
		return fmt.Sprintf("%d bytes", bytes)
	case bytes < 10<<20:
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

// micros writes a time that may be less than a millisecond.
func micros(seconds float64) string {
	if us := int(seconds * 1e6); us < 1000 {
		return fmt.Sprintf("%dµs", us)
	}
	return words.Duration(Seconds(seconds))
}

// Words says how the self-test went, as of now.
func (s SelfTest) Words(now time.Time) string {
	ago := words.Duration(now.Sub(s.At)) + " ago"
	switch {
	case s.Passed:
		return fmt.Sprintf("passed %s: a leak on purpose was proven (%s) within %s", ago, s.Proof, words.Duration(Seconds(s.TookSeconds)))
	case s.Error != "":
		return fmt.Sprintf("failed %s: %s", ago, s.Error)
	}
	return "failed " + ago
}
