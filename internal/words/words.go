// Package words says durations, numbers and places as people do.
package words

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// Duration writes a duration as people say it: "250ms", "4.2s", "41s", "2m 5s",
// "3h 12m", "4d 6h". It truncates, for "1m 0s" is not yet reached at 59.9 s.
func Duration(d time.Duration) string {
	switch {
	case d <= 0:
		return "0s"
	case d < time.Millisecond:
		return "<1ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(float64(d/(100*time.Millisecond))/10, 'f', -1, 64) + "s"
	case d < time.Minute:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	case d < time.Hour:
		return two(d, time.Minute, "m", time.Second, "s")
	case d < 24*time.Hour:
		return two(d, time.Hour, "h", time.Minute, "m")
	}
	return two(d, 24*time.Hour, "d", time.Hour, "h")
}

func two(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	n := int64(d % big / small)
	if n == 0 {
		return fmt.Sprintf("%d%s", d/big, bigName)
	}
	return fmt.Sprintf("%d%s %d%s", d/big, bigName, n, smallName)
}

// Plural writes a number of things: "1 pool", "0 pools".
func Plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// Place is a line of a file, without directories: "orders.go:42"; empty if there
// is no file. Programs built on Windows have backslashes in their paths.
func Place(file string, line int) string {
	if file == "" {
		return ""
	}
	return path.Base(strings.ReplaceAll(file, `\`, "/")) + ":" + strconv.Itoa(line)
}

// Cut shortens a text that has more than so many bytes, and ends it with an
// ellipsis then.
func Cut(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	return strings.ToValidUTF8(text[:bytes], "") + "…"
}
