package goroutines

import (
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/callstack"
)

// Goroutine is one goroutine of a dump.
type Goroutine struct {
	ID int64
	// State is what it does, in the runtime's words: "running", "IO wait",
	// "chan receive", …
	State string
	// Wait is for how long it is blocked, in whole minutes; 0 below one, and
	// for a goroutine that is leaked.
	Wait time.Duration
	// Leaked: the latest goroutine-leak profile found it blocked for ever.
	Leaked bool
	// Locked: it is locked to its thread.
	Locked bool
	// Bubble is the number of its bubble of testing/synctest; 0 if in none.
	Bubble int64
	// Labels are its profiler labels as the runtime writes them, if it does.
	Labels string
	// Frames are the functions that it is in, innermost first. Those of the
	// runtime that block a goroutine aren't listed.
	Frames []Frame
	// Elided: there are more frames.
	Elided bool
	// CreatedBy is the go statement that started it; zero for the main
	// goroutine. Creator is the goroutine that was in it, 0 if unknown.
	CreatedBy Frame
	Creator   int64
}

// Frame is one line of a goroutine's stack.
type Frame struct {
	Function string // with its import path
	// Args are the arguments as the runtime writes them: words in hexadecimal,
	// e.g. "0xc000012345, {0x1, 0x2}"; "..." if the function was inlined.
	// A question mark after a word means that it may be an old one.
	Args string
	File string
	Line int
}

// Package returns the import path of the frame's function.
func (f Frame) Package() string { return callstack.Frame{Function: f.Function}.Package() }

// parse reads the text of runtime.Stack. What it doesn't understand it leaves
// out: unknown counts the goroutines of which that is all.
func parse(text string) (all []Goroutine, unknown int) {
	all = make([]Goroutine, 0, strings.Count(text, "\n\ngoroutine ")+1)
	for entry := range entries(text) {
		var g Goroutine
		header, stack, _ := strings.Cut(entry, "\n")
		if !g.readHeader(header) {
			unknown++
			continue
		}
		g.readStack(stack)
		all = append(all, g)
	}
	return all, unknown
}

// entries are the parts of a dump, which blank lines are between.
func entries(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for text != "" {
			var entry string
			entry, text, _ = strings.Cut(text, "\n\n")
			if entry = strings.Trim(entry, "\n"); entry != "" && !yield(entry) {
				return
			}
		}
	}
}

// readHeader reads a line such as
//
//	goroutine 7 [chan receive (leaked), 5 minutes, locked to thread]:
//
// which may have more before the bracket, and labels in braces after it.
func (g *Goroutine) readHeader(line string) bool {
	rest, ok := strings.CutPrefix(line, "goroutine ")
	if !ok {
		return false
	}
	number, rest, ok := strings.Cut(rest, " ")
	if !ok {
		return false
	}
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return false
	}
	_, rest, ok = strings.Cut(rest, "[")
	if !ok {
		return false
	}
	status, labels, ok := strings.Cut(rest, "]")
	if !ok {
		return false
	}
	g.ID = id
	state, more, _ := strings.Cut(status, ", ")
	g.readState(state)
	for more != "" {
		var item string
		item, more, _ = strings.Cut(more, ", ")
		g.readItem(item)
	}
	labels = strings.TrimSuffix(strings.TrimSpace(labels), ":")
	if strings.HasPrefix(labels, "{") && strings.HasSuffix(labels, "}") {
		g.Labels = labels[1 : len(labels)-1]
	}
	return true
}

// readState takes off the state what isn't part of it.
func (g *Goroutine) readState(state string) {
	for {
		var ok bool
		if state, ok = strings.CutSuffix(state, " (leaked)"); ok {
			g.Leaked = true
			continue
		}
		if state, ok = strings.CutSuffix(state, " (scan)"); ok {
			continue
		}
		if state, ok = strings.CutSuffix(state, " (durable)"); !ok {
			g.State = state
			return
		}
	}
}

func (g *Goroutine) readItem(item string) {
	if minutes, ok := strings.CutSuffix(item, " minutes"); ok {
		if n, err := strconv.ParseInt(minutes, 10, 32); err == nil && n > 0 {
			g.Wait = time.Duration(n) * time.Minute
		}
		return
	}
	if bubble, ok := strings.CutPrefix(item, "synctest bubble "); ok {
		if n, err := strconv.ParseInt(bubble, 10, 64); err == nil {
			g.Bubble = n
		}
		return
	}
	g.Locked = g.Locked || item == "locked to thread"
}

// readStack reads pairs of lines, the function and, indented, its place.
func (g *Goroutine) readStack(text string) {
	g.Frames = make([]Frame, 0, strings.Count(text, "\n\t")+1)
	for text != "" {
		var line, place string
		line, text, _ = strings.Cut(text, "\n")
		if strings.HasPrefix(line, "...") && strings.HasSuffix(line, "elided...") {
			g.Elided = true
			continue
		}
		if !strings.HasPrefix(text, "\t") {
			continue // not a frame
		}
		place, text, _ = strings.Cut(text[1:], "\n")
		var f Frame
		f.readPlace(place)
		if by, ok := strings.CutPrefix(line, "created by "); ok {
			var creator string
			f.Function, creator, _ = strings.Cut(by, " in goroutine ")
			g.Creator, _ = strconv.ParseInt(creator, 10, 64)
			g.CreatedBy = f
			return // there may be ancestors
		}
		f.readCall(line)
		g.Frames = append(g.Frames, f)
	}
}

// readCall reads a function and its arguments: "main.(*T).Run(0xc000012345)".
func (f *Frame) readCall(line string) {
	f.Function = line
	if call, ok := strings.CutSuffix(line, ")"); ok {
		if i := strings.LastIndexByte(call, '('); i > 0 {
			f.Function, f.Args = call[:i], call[i+1:]
		}
	}
}

// readPlace reads "/src/main.go:12 +0x1d", which may go on.
func (f *Frame) readPlace(place string) {
	f.File = place
	i := strings.LastIndexByte(place, ':')
	if i < 0 {
		return
	}
	number, _, _ := strings.Cut(place[i+1:], " ")
	if n, err := strconv.Atoi(number); err == nil && n > 0 {
		f.File, f.Line = place[:i], n
	}
}

// word reads the first of a frame's arguments, and whether it is sure.
func (f Frame) word() (uintptr, bool) {
	first, _, _ := strings.Cut(f.Args, ", ")
	hex, ok := strings.CutPrefix(first, "0x")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(hex, 16, strconv.IntSize) // fails at "?"
	return uintptr(n), err == nil
}

// Words are the words among the frame's arguments, to be compared only. Some may
// be old ones.
func (f Frame) Words() iter.Seq[uintptr] {
	return func(yield func(uintptr) bool) {
		for _, at, ok := strings.Cut(f.Args, "0x"); ok; _, at, ok = strings.Cut(at, "0x") {
			end := strings.IndexFunc(at, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
			if end < 0 {
				end = len(at)
			}
			n, err := strconv.ParseUint(at[:end], 16, strconv.IntSize)
			if err == nil && !yield(uintptr(n)) {
				return
			}
		}
	}
}

// ReceiverType is the type of which the function is a method with a pointer as
// its receiver, with the import path; empty if it is none.
func (f Frame) ReceiverType() string {
	_, rest, ok := strings.Cut(f.Function, ".(*")
	if !ok {
		return ""
	}
	name, method, ok := strings.Cut(rest, ").")
	if !ok || strings.Contains(method, ".") { // a function inside of the method
		return ""
	}
	return f.Package() + "." + name
}

// Receiver is the address of the object that the function is a method of, to be
// compared only; 0 if it is none, or that isn't told. It may be an old one.
func (f Frame) Receiver() uintptr {
	if f.ReceiverType() == "" {
		return 0
	}
	f.Args = strings.Replace(f.Args, "?", "", 1)
	object, _ := f.word()
	return object
}
