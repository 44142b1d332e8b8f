package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/words"
)

// Headline says in a line what the finding is, without its site.
func (f Finding) Headline() string {
	state := f.State
	if f.Proof != "" {
		state += " (" + f.Proof + ")"
	}
	if 0 < f.Leaked && f.Leaked < f.Count {
		state += fmt.Sprintf(", %d of them proven", f.Leaked)
	}
	oldest := "the oldest for "
	if f.Count == 1 {
		oldest = "for "
	}
	return fmt.Sprintf("%s: %s in pool %s, %s%s", state, Handles(f.Count, f.Kind), f.Pool, oldest, words.Duration(f.Age()))
}

// Note says what is special about a handle that is no cause for alarm, such
// as why it is kept; often nothing.
func (f Finding) Note() string {
	switch {
	case f.Reason != "":
		return f.Reason
	case f.LongLived != "":
		return "long-lived: " + f.LongLived
	case f.Busy != "":
		return "in a driver call (" + f.Busy + ")"
	}
	return ""
}

// LabelList is the labels in a line.
func (f Finding) LabelList() string {
	var list []string
	for _, l := range f.Labels {
		list = append(list, l.Key+"="+l.Value)
	}
	return strings.Join(list, ", ")
}

// InUse is Open without the DBs: a DB that is merely open is a pool, and
// listed among the pools.
func (d Document) InUse() []Finding {
	return slices.DeleteFunc(slices.Clone(d.Open), func(f Finding) bool { return f.Kind == "db" })
}

// Short is the frame with the function's package and the file's base name,
// e.g. "shop.(*Store).Find store.go:42".
func (f Frame) Short() string {
	return strings.TrimSpace(f.ShortFunction() + " " + f.ShortPlace())
}

// ShortFunction is the function without the directory of its package.
func (f Frame) ShortFunction() string {
	// A type argument has slashes of its own: look for the directory's in
	// front of the first bracket only.
	head := f.Function
	if i := strings.IndexByte(head, '['); i >= 0 {
		head = head[:i]
	}
	return f.Function[strings.LastIndexByte(head, '/')+1:]
}

// Standard tells whether the function, which calls application code, is one of
// the standard library.
func (f Frame) Standard() bool { return standard(f.Function) }

// ShortPlace is the file's base name and the line, or empty.
func (f Frame) ShortPlace() string { return words.Place(f.File, f.Line) }

// Place is the file and the line, or empty.
func (f Frame) Place() string {
	if f.File == "" {
		return ""
	}
	return f.File + ":" + strconv.Itoa(f.Line)
}

// Words names the program with what is known about its build.
func (p Process) Words() string {
	program := p.Program
	if program == "" {
		program = "a program"
	}
	words := []string{program, "pid " + strconv.Itoa(p.PID)}
	if p.GoVersion != "" {
		words = append(words, p.GoVersion)
	}
	if p.Revision != "" {
		words = append(words, "revision "+p.Revision)
	}
	return strings.Join(words, ", ")
}

// Limit is the pool's limit of connections in a word.
func (s Stats) Limit() string {
	if s.MaxOpen <= 0 {
		return "none"
	}
	return strconv.Itoa(s.MaxOpen)
}

// OpenList lists the pool's open handles by kind: "2 × tx", "3 × rows".
func (p Pool) OpenList() []string {
	var list []string
	for _, k := range Kinds {
		if n := p.Open[k]; n > 0 {
			list = append(list, Handles(n, k))
		}
	}
	return list
}

// ThresholdWords lists the thresholds of the kinds, e.g.
// "conn 30s, tx 1m, rows never".
func (d Document) ThresholdWords() string {
	var list []string
	for _, k := range Kinds {
		if s, ok := d.Thresholds[k]; ok && k != "row" { // shares that of rows
			list = append(list, k+" "+thresholdWord(s))
		}
	}
	return strings.Join(list, ", ")
}

func thresholdWord(s float64) string {
	if s > 0 {
		return words.Duration(Seconds(s))
	}
	return "never"
}

// Words says what became of what was reported.
func (t Totals) Words() string {
	if t.Reported == 0 {
		return "nothing reported"
	}
	return fmt.Sprintf("reported %d, of which %d were given back later, %d proven", t.Reported, t.Recovered, t.Leaked)
}

// Words says the threshold and whose it is, e.g. `10m for jobs\.Export`.
func (t SiteThreshold) Words() string { return thresholdWord(t.Seconds) + " for " + t.Pattern }

// Limits says what the document can't tell, in a sentence each.
func (d Document) Limits() (out []string) {
	if n := d.Beyond.Stacks; n > 0 {
		out = append(out, "The table of call stacks is full; kept without sharing: "+words.Plural(int(n), "stack")+".")
	}
	if n := d.Beyond.Statements; n > 0 {
		out = append(out, "Not recorded: "+words.Plural(int(n), "statement")+" of connections that had 10,000 already.")
	}
	if n := d.Beyond.Findings; n > 0 {
		out = append(out, "Without events: "+words.Plural(n, "finding")+", as 1,000 others are not over.")
	}
	if d.NoLeakProfile {
		out = append(out, "Dropped transactions and DBs are not proven leaked: this Go has no goroutine-leak profile, Go 1.27 has.")
	}
	return out
}
