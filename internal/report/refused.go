package report

import (
	"bytes"
	"fmt"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// Refusal is calls that a database refused because something had run out, and
// what was held then; see tracker.Refusal.
type Refusal struct {
	Pool   string `json:"pool"`
	PoolID uint64 `json:"pool_id"`
	// What is "connections", "statements" or "lock".
	What  string    `json:"what"`
	Code  string    `json:"code"`
	Count uint64    `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// Over tells that none was refused for a minute.
	Over bool `json:"over,omitempty"`
	// DBs of the data source had InUse and Idle connections when it was last
	// looked at.
	DBs     int             `json:"dbs"`
	InUse   int             `json:"in_use"`
	Idle    int             `json:"idle"`
	Holders []RefusalHolder `json:"holders"`
	Others  int             `json:"others,omitempty"`
	Reason  string          `json:"reason"`
	Advice  string          `json:"advice,omitempty"`
}

// RefusalHolder is what one line held; of the kind db, the idle connections of
// so many DBs.
type RefusalHolder struct {
	Kind          string  `json:"kind"`
	Site          Frame   `json:"site"`
	Count         int     `json:"count"`
	DBs           int     `json:"dbs"`
	Copies        int     `json:"copies,omitempty"`
	OldestSeconds float64 `json:"oldest_seconds"`
	Busy          string  `json:"busy,omitempty"`
}

func refusal(r tracker.Refusal) Refusal {
	return Refusal{
		Pool: r.Pool, PoolID: r.PoolID, What: r.What.String(), Code: r.Code, Count: r.Count,
		First: r.First, Last: r.Last, Over: r.Over, DBs: r.DBs, InUse: r.InUse, Idle: r.Idle,
		Holders: Convert(r.Holders, refusalHolder), Others: r.Others, Reason: r.Reason, Advice: r.Advice,
	}
}

func refusalHolder(h tracker.RefusalHolder) RefusalHolder {
	return RefusalHolder{
		Kind: h.Kind.String(), Site: Frame(h.Site), Count: h.Count, DBs: h.DBs, Copies: h.Copies,
		OldestSeconds: seconds(h.Oldest), Busy: h.Busy,
	}
}

// Refused are the refusals that go on.
func (d Document) Refused() (out []Refusal) {
	for _, r := range d.Refusals {
		if !r.Over {
			out = append(out, r)
		}
	}
	return out
}

// Headline says in a line what was refused.
func (r Refusal) Headline() string {
	switch r.What {
	case "connections":
		return "The server of pool " + r.Pool + " refuses connections"
	case "statements":
		return "The server of pool " + r.Pool + " refuses prepared statements"
	}
	return "The database of pool " + r.Pool + " is locked"
}

// What says what the line holds.
func (h RefusalHolder) What() string {
	switch {
	case h.Kind == "db":
		return fmt.Sprintf("%s of %s", words.Plural(h.Count, "idle connection"), words.Plural(h.DBs, "DB"))
	case h.Copies > 0:
		return fmt.Sprintf("%s, %d of them on further connections", Handles(h.Count, h.Kind), h.Copies)
	}
	return Handles(h.Count, h.Kind)
}

// Note says since when, and what is going on.
func (h RefusalHolder) Note() string {
	note := "for " + words.Duration(Seconds(h.OldestSeconds))
	if h.Count > 1 {
		note = "the oldest " + note
	}
	if h.Busy != "" {
		note += ", in a driver call (" + h.Busy + ")"
	}
	return note
}

// Ago says when a call was last refused.
func (d Document) Ago(r Refusal) string {
	return "the last one " + words.Duration(d.GeneratedAt.Sub(r.Last)) + " ago"
}

func writeRefused(b *bytes.Buffer, d Document) {
	if len(d.Refusals) == 0 {
		return
	}
	b.WriteString("\nREFUSED BY THE DATABASE\n")
	for _, r := range d.Refusals {
		over := ""
		if r.Over {
			over = ", over"
		}
		fmt.Fprintf(b, "pool %s%s: %s; %s\n", r.Pool, over, r.Reason, d.Ago(r))
		label := "held by"
		for _, h := range r.Holders {
			field(b, label, fmt.Sprintf("%s, %s: %s", h.What(), h.Note(), h.Site.Short()))
			label = ""
		}
		if r.Others > 0 {
			field(b, label, fmt.Sprintf("and %d more", r.Others))
		}
		field(b, "do", r.Advice)
	}
}

// verdict is what the doctor says of it.
func (r Refusal) verdict() string {
	said := r.Headline() + ": " + r.Reason + "."
	if len(r.Holders) > 0 {
		h := r.Holders[0]
		said += fmt.Sprintf(" Most of it: %s, opened at %s.", h.What(), h.Site.Short())
	}
	if r.Advice != "" {
		said += " " + upper(r.Advice) + "."
	}
	return said
}
