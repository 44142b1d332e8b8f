package httpdebug

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// maxLiveNotes is for how many findings the events say why, and what for those
// that may be unfolded: these texts change all the time, and few are in sight.
const maxLiveNotes = 50

// liveState is what changes on a page that is open: items by the ids of their
// elements, the bar among them.
type liveState struct {
	// process is another one after the program was started anew.
	process string
	items   map[string]liveItem
}

// liveItem is an item's texts by name: the page's script knows where they go.
type liveItem struct {
	texts map[string]string
	// ages are numbers of seconds. The page counts on from what it was told,
	// which holds for as long as the handles are the same.
	ages    map[string]string
	handles handleSet
}

// handleSet tells the handles of an item from others, well enough.
type handleSet struct {
	oldest, latest int64 // when they were opened
	count          int
}

// liveEvent is what an event says, and the answer to who polls.
type liveEvent struct {
	// Full tells that Items are all that there are, with all their texts;
	// otherwise only what has changed since the event before is there.
	Full    bool                         `json:"full,omitempty"`
	Process string                       `json:"process,omitempty"` // if Full
	Items   map[string]map[string]string `json:"items"`
	Over    []string                     `json:"over,omitempty"`
}

// The ids of items; those of findings begin with anchorFinding or anchorOpen.
// A pool group's is made of what its pools have in common, as the first of them
// may go at any time.

func poolItem(g report.PoolGroup) string {
	return "p-" + hash(g.Name, g.Driver, g.Source, g.Site, g.Closed, g.Exhausted != nil, g.Stats != nil && g.Stats.MaxOpen > 0)
}

func exhaustedItem(poolID uint64) string { return "x-" + strconv.FormatUint(poolID, 10) }

func refusedItem(r report.Refusal) string { return "r-" + hash(r.PoolID, r.What, r.Code) }

func hash(of ...any) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q", of)
	return strconv.FormatUint(h.Sum64(), 36)
}

// liveState is what a page with the filter f shows of s. SQL text is not in it.
func (h *handler) liveState(s tracker.Snapshot, f report.Filter) liveState {
	s = f.Apply(s)
	summary := report.Summarise(s)
	rest := s
	rest.Findings, rest.Open, rest.Ended = nil, nil, nil
	d := report.Build(rest, report.Filter{}, h.process, false).Printable()
	d.Summary = summary
	items := map[string]liveItem{"bar": barItem(d)}
	for _, g := range d.PoolGroups() {
		items[poolItem(g)] = liveItem{texts: poolTexts(g)}
	}
	for _, p := range d.Exhausted() {
		items[exhaustedItem(p.ID)] = liveItem{texts: map[string]string{"reason": p.Exhausted.Reason}}
	}
	for _, r := range d.Refused() {
		items[refusedItem(r)] = liveItem{texts: map[string]string{"reason": r.Reason}}
	}
	for i := range s.Findings {
		x := findingItem(&s.Findings[i])
		if i < maxLiveNotes {
			x.texts["note"] = report.Clean(s.Findings[i].Reason)
		}
		if i < maxBodies {
			x.texts["headline"] = headline(&s.Findings[i])
		}
		items[anchorFinding+s.Findings[i].ID] = x
	}
	for i := range s.Open {
		if s.Open[i].Kind != tracker.KindDB { // is among the pools
			items[anchorOpen+s.Open[i].ID] = findingItem(&s.Open[i])
		}
	}
	return liveState{process: fmt.Sprintf("%d %d", h.process.PID, s.Since.UnixNano()), items: items}
}

func barItem(d report.Document) liveItem {
	return liveItem{texts: map[string]string{
		"leaked":    strconv.Itoa(d.Summary.Leaked),
		"overdue":   strconv.Itoa(d.Summary.Overdue),
		"open":      strconv.Itoa(d.Summary.Open),
		"exhausted": strconv.Itoa(len(d.Exhausted())),
		"at":        clock(d.GeneratedAt),
		"title":     title(d),
	}}
}

func poolTexts(g report.PoolGroup) map[string]string {
	texts := map[string]string{
		"in_use":  strconv.Itoa(g.InUse),
		"idle":    strconv.Itoa(g.Idle),
		"open":    openList(g),
		"overdue": strconv.Itoa(g.Overdue),
		"leaked":  strconv.Itoa(g.Leaked),
	}
	if g.Stats != nil {
		texts["limit"] = g.Stats.Limit()
		texts["waits"] = strconv.FormatInt(g.Stats.Waits, 10)
		texts["waited"] = words.Duration(report.Seconds(g.Stats.WaitSeconds))
	}
	return texts
}

// openList keeps a number with its kind, on one line.
func openList(g report.PoolGroup) string {
	list := g.OpenList()
	for i := range list {
		list[i] = strings.ReplaceAll(list[i], " ", "\u00a0")
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func findingItem(f *tracker.Finding) liveItem {
	x := liveItem{
		texts: map[string]string{
			"state":  f.State.String(),
			"proof":  string(f.Proof),
			"count":  strconv.Itoa(f.Count),
			"change": change(f.Change),
		},
		ages:    map[string]string{"age": age(f.Age)},
		handles: handleSet{f.OpenedAt.UnixNano(), f.LatestAt.UnixNano(), f.Count},
	}
	if f.Count > 1 {
		x.ages["median"] = age(f.Median)
	}
	return x
}

func headline(f *tracker.Finding) string {
	return report.Clean(report.Finding{
		Kind: f.Kind.String(), State: f.State.String(), Proof: string(f.Proof), Pool: f.Pool,
		Count: f.Count, Leaked: f.Leaked, AgeSeconds: f.Age.Seconds(),
	}.Headline())
}

// change says how many more handles there are than a minute ago, if it isn't
// as many.
func change(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%+d in 1m", n)
}

// age is in seconds.
func age(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) }

// event is the whole state.
func (s liveState) event() liveEvent {
	e := liveEvent{Full: true, Process: s.process, Items: make(map[string]map[string]string, len(s.items))}
	for name, item := range s.items {
		e.Items[name] = item.since(liveItem{})
	}
	return e
}

// since is what has changed since old.
func (s liveState) since(old liveState) liveEvent {
	e := liveEvent{Items: map[string]map[string]string{}}
	for name, item := range s.items {
		if changed := item.since(old.items[name]); len(changed) > 0 {
			e.Items[name] = changed
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old.items)) {
		if _, ok := s.items[name]; !ok {
			e.Over = append(e.Over, name)
		}
	}
	return e
}

func (x liveItem) since(old liveItem) map[string]string {
	changed := map[string]string{}
	for name, text := range x.texts {
		if was, had := old.texts[name]; !had || text != was {
			changed[name] = text
		}
	}
	if x.handles != old.handles {
		maps.Copy(changed, x.ages)
	}
	return changed
}
