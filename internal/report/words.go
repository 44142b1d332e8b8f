package report

import (
	"strconv"
	"time"
)

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
