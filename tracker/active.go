package tracker

import (
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
)

const (
	firstSummary = time.Minute
	lastSummary  = time.Hour
	maxEnded     = 100
)

// active is a finding that was reported and is not over.
type active struct {
	finding Finding // as last seen
	since   time.Time
	// live is how much of the finding each pool's last sweep saw.
	live map[*record.Pool]int
	// leakedSaid is set once EventLeaked was emitted.
	leakedSaid bool
	summaries
	// total is how many handles were ever reported for it, and moved how many of
	// them are now told of as another finding.
	total, moved int
	history      countHistory
	// reported, overdue and lost are how many DBs of the finding were counted.
	reported, overdue, lost int

	recovered int
	held      time.Duration
	// quietAt is set if a scope left handles open: the finding isn't over
	// before. untold is set until observers have heard of it.
	quietAt time.Time
	untold  bool
	endedAt time.Time // when the last of its handles was seen to be given back
}

func newActive(now time.Time) *active {
	return &active{since: now, live: make(map[*record.Pool]int), summaries: newSummaries(now)}
}

// summaries says when to sum up what goes on, at doubling intervals.
type summaries struct {
	summaryAt time.Time
	interval  time.Duration // to the one after that
}

func newSummaries(now time.Time) summaries {
	return summaries{summaryAt: now.Add(firstSummary), interval: firstSummary}
}

func (s *summaries) summedUp(now time.Time) {
	s.interval = min(s.interval*2, lastSummary)
	s.summaryAt = now.Add(s.interval)
}

func (a *active) event(k EventKind, now time.Time) Event {
	return Event{Kind: k, At: now, Finding: a.finding, Since: a.since, Held: a.held, Recovered: a.recovered}
}

// summary is an event, and the next one is due after twice the time.
func (a *active) summary(now time.Time) Event {
	a.summedUp(now)
	return a.event(EventOngoing, now)
}

// ended is what is kept of the finding.
func (a *active) ended(at time.Time) Ended {
	f := a.finding
	if a.recovered > 0 || f.Kind == KindDB {
		f.State, f.Proof = StateRecovered, ""
	}
	return Ended{
		Finding: f, At: at, Held: a.held, Count: a.recovered,
		Leaked: f.Leaked, Gone: max(0, a.total-a.recovered-a.moved),
	}
}

func (t *Tracker) over(e Ended) {
	if len(t.ended) >= maxEnded {
		t.ended = slices.Delete(t.ended, 0, 1)
	}
	t.ended = append(t.ended, e)
}
