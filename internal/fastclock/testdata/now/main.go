// Command now compares the fast clock with the system's for a second, and says
// how many times it could.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/fastclock"
)

func main() {
	var known, unknown int
	for time.Since(fastclock.Start) < time.Second {
		before := time.Since(fastclock.Start)
		now, ok := fastclock.Now()
		after := time.Since(fastclock.Start)
		if !ok {
			unknown++
			fastclock.Learn()
			continue
		}
		known++
		if off := time.Millisecond; now < before-off || now > after+off {
			fmt.Printf("%v, which is not between %v and %v\n", now, before, after)
			os.Exit(1)
		}
	}
	fmt.Println(known > unknown, known, unknown)
}
