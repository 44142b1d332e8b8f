package report

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// Build makes the document of a snapshot, narrowed by f. SQL text is left out
// unless queries is true. The document shares no memory with the snapshot.
func Build(s tracker.Snapshot, f Filter, p Process, queries bool) Document {
	s = f.Apply(s)
	b := builder{queries: queries}
	d := Document{
		Schema:         Schema,
		GeneratedAt:    s.TakenAt,
		Since:          s.Since,
		Process:        p,
		Filter:         f.Values().Encode(),
		QueriesHidden:  !queries,
		Summary:        Summarise(s),
		Pools:          Convert(s.Pools, b.pool),
		Findings:       Convert(s.Findings, b.finding),
		Open:           Convert(s.Open, b.finding),
		Ended:          Convert(s.Ended, b.ended),
		Refusals:       Convert(s.Refusals, refusal),
		Totals:         Totals(s.Totals),
		Thresholds:     map[string]float64{},
		SiteThresholds: Convert(s.SiteThresholds, siteThreshold),
		Beyond:         Beyond(s.Beyond),
		NoLeakProfile:  !s.LeakProfile.Available,
		Overhead:       overhead(s.Overhead, s.LeakProfile),
	}
	if s.SelfTest != nil {
		d.SelfTest = b.selfTest(s.SelfTest)
	}
	for k, t := range s.Thresholds {
		d.Thresholds[k.String()] = seconds(t)
	}
	return d
}

func overhead(o tracker.Overhead, p tracker.LeakProfile) Overhead {
	return Overhead{
		Connections: o.Connections, Handles: o.Handles, Stacks: o.Stacks, Bytes: o.Bytes,
		Sweeps: o.Sweeps, LastSweep: o.LastSweep,
		LastTookSeconds: float64(o.LastTook.Microseconds()) / 1e6, TookSeconds: seconds(o.Took),
		LeakProfiles: p.Asked, LeakProfileSeconds: seconds(p.Took),
	}
}

func (b builder) selfTest(s *tracker.SelfTested) *SelfTest {
	return &SelfTest{
		At: s.At, Passed: s.Error == "", TookSeconds: seconds(s.Took), Proof: string(s.Proof), Error: b.query(s.Error),
	}
}

func siteThreshold(t tracker.SiteThreshold) SiteThreshold {
	return SiteThreshold{Pattern: t.Pattern, Seconds: seconds(t.Threshold)}
}

// started is about when the process was.
var started = time.Now()

// ThisProcess describes the running program.
func ThisProcess() Process {
	p := Process{PID: os.Getpid(), GoVersion: runtime.Version(), StartedAt: started}
	if exe, err := os.Executable(); err == nil {
		p.Program = filepath.Base(exe)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		p.Revision = revision(info.Settings)
	}
	return p
}

func revision(settings []debug.BuildSetting) string {
	var rev, dirty string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if rev == "" {
		return ""
	}
	return rev + dirty
}

// Summarise counts what a snapshot lists.
func Summarise(s tracker.Snapshot) Summary {
	var sum Summary
	for _, f := range s.Findings {
		leaked := 0
		if f.State == tracker.StateLeaked {
			leaked = f.Leaked
		}
		sum.Leaked += leaked
		sum.Overdue += f.Count - leaked
	}
	for _, f := range s.Open {
		if f.Kind != tracker.KindDB {
			sum.Open += f.Count
		}
	}
	return sum
}

// Convert applies f to each of the list. It never returns nil, so that an empty
// list is [] in JSON.
func Convert[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

type builder struct{ queries bool }

func (b builder) query(q string) string {
	if !b.queries {
		return ""
	}
	return q
}

func (b builder) finding(f tracker.Finding) Finding {
	return Finding{
		ID:         f.ID,
		Kind:       f.Kind.String(),
		State:      f.State.String(),
		Proof:      string(f.Proof),
		Pool:       f.Pool,
		Site:       Frame(f.Site),
		Count:      f.Count,
		Leaked:     f.Leaked,
		AgeSeconds: seconds(f.Age),
		OpenedAt:   f.OpenedAt,

		MedianSeconds: seconds(f.Median),
		LatestAt:      f.LatestAt,
		FirstSeen:     f.FirstSeen,
		Change:        f.Change,

		ThresholdSeconds: seconds(f.Threshold),

		Reason:    f.Reason,
		Advice:    f.Advice,
		Usual:     f.Usual,
		Held:      held(f.Held),
		Query:     b.query(f.Query),
		Busy:      f.Busy,
		LongLived: f.LongLived,
		Scope:     f.Scope,
		Labels:    Convert(f.Labels, func(l tracker.Label) Label { return Label(l) }),
		Goroutine: f.Goroutine,
		Children:  Convert(f.Children, b.child),
		Stack:     stack(f.Stack, f.Site),
	}
}

func held(h tracker.HeldTimes) (out Held) {
	out.Count = h.Count
	for _, t := range h.Buckets {
		b := HeldBucket{Count: t.Count}
		if t.UpTo < math.MaxInt64 {
			b.UpToSeconds = t.UpTo.Seconds()
		}
		out.Buckets = append(out.Buckets, b)
	}
	return out
}

func (b builder) child(c tracker.Child) Child {
	return Child{Kind: c.Kind.String(), Site: Frame(c.Site), Query: b.query(c.Query), Count: c.Count}
}

func (b builder) ended(e tracker.Ended) Ended {
	return Ended{
		Finding:     b.finding(e.Finding),
		EndedAt:     e.At,
		HeldSeconds: seconds(e.Held),
		Recovered:   e.Count,
		Leaked:      e.Leaked,
		Gone:        e.Gone,
	}
}

func (b builder) pool(p tracker.Pool) Pool {
	out := Pool{
		ID:       p.ID,
		Name:     p.Name,
		Driver:   p.Driver,
		Source:   p.Source,
		Site:     Frame(p.Site),
		OpenedAt: p.OpenedAt,
		Closed:   p.Closed,
		InUse:    p.InUse,
		Idle:     p.Idle,
		Open:     map[string]int{},
		Overdue:  p.Overdue,
		Leaked:   p.Leaked,
		Recent:   Convert(p.Recent, func(s tracker.PoolSample) PoolSample { return PoolSample(s) }),
	}
	for k, n := range p.Open {
		out.Open[k.String()] = n
	}
	if p.Stats != nil {
		out.Stats = &Stats{
			MaxOpen:     p.Stats.MaxOpenConnections,
			Waits:       p.Stats.WaitCount,
			WaitSeconds: seconds(p.Stats.WaitDuration),
		}
	}
	if p.Exhausted != nil {
		out.Exhausted = exhaustion(p.Exhausted)
	}
	return out
}

func exhaustion(x *tracker.Exhaustion) *Exhaustion {
	return &Exhaustion{
		Limit: x.Limit, InUse: x.InUse, Since: x.Since, Seconds: seconds(x.For),
		Waiting: x.Waiting, GaveUp: x.GaveUp, Reason: x.Reason,
		Holders: Convert(x.Holders, holder), Others: x.Others, Growth: x.Growth, AskedAt: x.AskedAt,
		Waiters: Convert(x.Waiters, waitingLine), Deadlocks: Convert(x.Deadlocks, deadlock), Advice: x.Advice,
	}
}

func holder(h tracker.Holder) Holder {
	f := h.Handles
	return Holder{
		ID: f.ID, Kind: f.Kind.String(), State: f.State.String(), Site: Frame(f.Site),
		Count: f.Count, AgeSeconds: seconds(f.Age), Busy: f.Busy, Openers: Convert(h.Openers, opener),
	}
}

func stack(frames []tracker.Frame, site tracker.Frame) []StackFrame {
	return markLibraries(plainStack(frames), Frame(site))
}

// markLibraries marks what is not the application's: all that lies in front of
// the site, and the standard library wherever it is.
func markLibraries(frames []Frame, site Frame) []StackFrame {
	front := max(0, slices.Index(frames, site))
	out := make([]StackFrame, len(frames))
	for i, f := range frames {
		out[i] = StackFrame{Frame: f, Library: i < front || standard(f.Function)}
	}
	return out
}

// The directories of the standard library. That there is no dot in its name
// doesn't tell one: an application's module may have none either.
var standardRoots = [...]string{
	"bufio", "bytes", "compress", "context", "crypto", "database", "encoding", "errors", "expvar", "flag", "fmt", "hash",
	"html", "internal", "io", "iter", "log", "maps", "math", "mime", "net", "os", "reflect", "regexp", "runtime", "slices",
	"sort", "strconv", "strings", "sync", "syscall", "testing", "text", "time", "unicode", "unique", "vendor", "weak",
}

func standard(function string) bool {
	for _, p := range standardRoots {
		rest, ok := strings.CutPrefix(function, p)
		if ok && rest != "" && (rest[0] == '.' || rest[0] == '/') {
			return true
		}
	}
	return false
}

// seconds has milliseconds of precision: more is noise to a reader.
func seconds(d time.Duration) float64 {
	return float64(d.Milliseconds()) / 1000
}
