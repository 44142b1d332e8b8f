package tracker

import (
	"fmt"
	"math"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
	"github.com/dbleaks-go/dbleaks/internal/heldtime"
	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/words"
)

// HeldTimes says for how long handles were held that were given back: rows,
// transactions and connections. The first thousand of each call stack are
// counted, then one in 64, at random.
type HeldTimes struct {
	Count   uint64       // of the times taken
	Buckets []HeldBucket // those that count any, the shortest first
}

// HeldBucket counts times between those of the bucket before and UpTo, which
// are less than twice as long; [math.MaxInt64] for those beyond five hours.
type HeldBucket struct {
	UpTo  time.Duration
	Count uint64
}

func heldTimes(stacks []*callstack.Stack) (h HeldTimes) {
	var counts heldtime.Counts
	for _, s := range stacks {
		counts.Add(s.Held())
	}
	counts.All(func(upTo time.Duration, n uint64) bool {
		h.Count += n
		h.Buckets = append(h.Buckets, HeldBucket{upTo, n})
		return true
	})
	return h
}

// Within returns the time within which the share of the handles, between 0 and
// 1, were given back, rounded up to the end of a bucket; 0 if there were none.
func (h HeldTimes) Within(share float64) time.Duration {
	var sum uint64
	for _, b := range h.Buckets {
		if sum += b.Count; float64(sum) >= share*float64(h.Count) {
			return b.UpTo
		}
	}
	return 0
}

// shares are what can be said of so many times.
var shares = []struct {
	least uint64
	share float64
	words string
}{
	{1000, 0.999, "99.9 %"},
	{100, 0.99, "99 %"},
	{20, 0.9, "90 %"},
}

// usual says for how long handles of the line are usually held and, if that is
// sure, what it means for their threshold.
func usual(k Kind, h HeldTimes, l record.Limit) string {
	for _, s := range shares {
		if h.Count < s.least {
			continue
		}
		within := h.Within(s.share)
		if within == math.MaxInt64 {
			return ""
		}
		said := fmt.Sprintf("%s of %s from this line are given back within %s", s.words, plurals[k], words.Duration(within))
		if l.Threshold == 0 {
			return said
		}
		said += fmt.Sprintf("; the threshold is %s", words.Duration(l.Threshold))
		switch do := enough(within); {
		case s.share < 0.99:
		case within >= l.Threshold:
			said += fmt.Sprintf(", which raises false alarms if they are idle for as long: tracker.WithSiteThreshold can make it %s", words.Duration(do))
		case 10*do <= l.Threshold:
			said += fmt.Sprintf(", %s would do: tracker.WithSiteThreshold", words.Duration(do))
		}
		return said
	}
	return ""
}

// enough is a threshold that leaves room above what is usual.
func enough(usual time.Duration) time.Duration {
	do := 10 * usual
	switch {
	case do <= time.Second:
		return time.Second
	case do <= time.Minute:
		return do.Round(time.Second)
	}
	return do.Round(time.Minute)
}

var plurals = map[Kind]string{KindConn: "connections", KindTx: "transactions", KindRows: "rows", KindRow: "rows"}
