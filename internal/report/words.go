package report

import (
	"fmt"
	"strconv"
	"time"
)

// Words writes a duration as people say it: "250ms", "4.2s", "41s", "2m 5s",
// "3h 12m", "4d 6h". It truncates, for "1m 0s" is not yet reached at 59.9 s.
func Words(d time.Duration) string {
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

// Seconds makes a duration of a document's seconds. What no duration can
// hold, which only a forged document says, becomes the longest one.
func Seconds(s float64) time.Duration {
	const most = float64(1<<63-1) / float64(time.Second)
	switch {
	case !(s > 0): // NaN too
		return 0
	case s >= most:
		return 1<<63 - 1
	}
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond)
}

// Handles writes a number of handles of a kind: "3 × tx". The plural of a kind
// would mislead: one rows handle is "1 × rows".
func Handles(n int, kind string) string { return strconv.Itoa(n) + " × " + kind }

// Plural writes a number of things: "1 pool", "0 pools".
func Plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
