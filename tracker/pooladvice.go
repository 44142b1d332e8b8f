package tracker

import (
	"fmt"
	"slices"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/record"
	"github.com/dbleaks-go/dbleaks/internal/words"
)

const (
	// manyConns is from how many connections on a pool is told to have no limit.
	manyConns = 100
	// manyClosed is how many connections must have been closed for want of room
	// among the idle ones, and acquiresPerClosed how few acquires there are for
	// each, before the pool is told to keep more.
	manyClosed, acquiresPerClosed = 1000, 4
)

// poolAdvice says what is to be done about a pool, as far as that is sure.
func poolAdvice(p *record.Pool, d PoolDiagnosis, h holding) (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, holder := range d.Holders {
		if a := leftAdvice(holder, d.Waiting > 0); a != "" {
			say("%s", a)
		}
		for _, o := range holder.Openers {
			if o.waits && o.WaitsFor == d.Pool {
				if a := nestedAdvice(holder.Handles, o); a != "" {
					say("%s", a)
				}
			}
		}
	}
	if !h.known {
		return out
	}
	if d.Limit == 0 && d.InUse >= manyConns {
		say("set a limit (SetMaxOpenConns): without one the pool opens connections until the server refuses them")
	}
	if closed := h.stats.MaxIdleClosed; closed >= manyClosed {
		if n := p.Acquires(); uint64(closed)*acquiresPerClosed >= n {
			say("keep more connections idle (SetMaxIdleConns): %d were closed for want of room, in %d acquires", closed, n)
		}
	}
	return out
}

// leftFor is for how long nobody may have used what a goroutine has left open
// that is gone, before that is told. Sweeps see it up to half a second late, and a
// pool may be exhausted after one.
const leftFor = time.Second / 2

// leftAdvice is about handles that nobody seems to give back.
func leftAdvice(h Holder, waiting bool) string {
	f := h.Handles
	rows := f.Kind == KindRows || f.Kind == KindRow
	switch {
	case f.State == StateLeaked && rows:
		return fmt.Sprintf("close the rows of %s: %s lost with them", short(f.Site), plural(f.Leaked, "connection is", "connections are"))
	case !waiting || f.Busy != "" || f.LongLived != "" || h.idle < leftFor || slices.ContainsFunc(h.Openers, Opener.goesOn):
		return ""
	}
	what := fmt.Sprintf("the %v of %s is closed", f.Kind, short(f.Site))
	switch {
	case rows:
		what = fmt.Sprintf("the rows of %s are closed", short(f.Site))
	case f.Kind == KindTx:
		what = fmt.Sprintf("the transaction of %s is committed or rolled back", short(f.Site))
	}
	return fmt.Sprintf("see whether %s on every way out: who opened it has gone on without it, and nobody has used it for %s", what, words.Duration(h.idle))
}

// goesOn reports whether a goroutine may still be where it opened a handle. In no
// function of the application it isn't.
func (o Opener) goesOn() bool { return o.State == "unknown" || o.At != (Frame{}) }

// nestedAdvice is about a goroutine that has f open and waits for another
// connection of the pool.
func nestedAdvice(f Finding, o Opener) string {
	switch f.Kind {
	case KindTx:
		return fmt.Sprintf("%s asks for a second connection with the transaction of %s open: run it on the transaction, or before it", short(o.At), short(f.Site))
	case KindRows:
		return fmt.Sprintf("%s asks for a second connection with the rows of %s open: read them to their end and close them first", short(o.At), short(f.Site))
	case KindConn:
		return fmt.Sprintf("%s asks for a second connection with the Conn of %s open: run it on the Conn, or before it", short(o.At), short(f.Site))
	}
	return ""
}

// short is where a line is, without directories.
func short(f Frame) string {
	return words.Place(f.File, f.Line)
}

// deadlockAdvice says what would keep it from coming back.
func deadlockAdvice(members []DeadlockMember) string {
	const limit = "; raising the limit only makes it rarer"
	for _, m := range members {
		if m.Via == LinkMutex {
			return fmt.Sprintf("run what takes the lock at %s before %s takes a connection, or ask for the connection of %s outside of the lock", short(m.Waits), short(m.Holds), short(m.BehindAt)) + limit
		}
	}
	for _, m := range members {
		if m.Kind == KindTx && m.Pool == m.WaitsFor && m.Behind == 0 {
			return fmt.Sprintf("run what waits at %s on the transaction of %s itself, or before it", short(m.Waits), short(m.Holds)) + limit
		}
	}
	for _, m := range members {
		if (m.Kind == KindRows || m.Kind == KindRow) && m.Pool == m.WaitsFor && m.Behind == 0 {
			return fmt.Sprintf("read the rows of %s to their end and close them before the query at %s", short(m.Holds), short(m.Waits)) + limit
		}
	}
	m := members[0]
	at := m.Waits
	if m.Behind != 0 {
		at = m.BehindAt
	}
	return fmt.Sprintf("give back the %s of %s before asking for another connection at %s", m.Kind, short(m.Holds), short(at)) + limit
}
