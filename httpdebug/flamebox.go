package httpdebug

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/dbleaks-go/dbleaks/internal/flame"
	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// flameBox is a box as SVG has it: sizes are a share of the width, in percent,
// or pixels.
type flameBox struct {
	Link        string
	State       string // of the worst below it
	More        bool   // stands for what is too narrow
	Above       bool   // calls what is zoomed to
	Library     bool   // is a function of the standard library
	End         bool   // is handles, and no call
	Left, Width string
	Top, Height int
	Title       string
	Text, Place string // empty where there is no room
}

const (
	// flameRow is the height of a row in pixels.
	flameRow = 22
	// flameText is the narrowest box with a text, and flamePlace the narrowest
	// with package, file and line, as shares of the width.
	flameText  = 0.015
	flamePlace = 0.12
	// flameWords is how long a text may be, in bytes.
	flameWords = 200
)

// flameDrawing is what the boxes of a graph have in common.
type flameDrawing struct {
	by     flame.By
	filter url.Values
	whole  float64
}

// link leads to the graph by that measure, zoomed to a node.
func (d *flameDrawing) link(by flame.By, frame string) string {
	q := url.Values{}
	for k, v := range d.filter {
		q[k] = v
	}
	if by != flame.ByCount {
		q.Set("by", by.String())
	}
	if frame != "" {
		q.Set("frame", frame)
	}
	if len(q) == 0 {
		return "flame"
	}
	return "flame?" + q.Encode()
}

func (d *flameDrawing) box(b flame.Box) flameBox {
	out := flameBox{
		Link: d.link(d.by, b.Node.ID), Left: percent(b.Left), Width: percent(b.Width),
		Top: b.Row * flameRow, Height: flameRow - 1,
		State: b.Node.State.String(), More: b.More > 0, Above: b.Above, Title: d.title(b),
	}
	var place string
	text := name(b.Node)
	switch h := b.Node.Handles; {
	case b.More > 0:
		text = fmt.Sprintf("… %d more", b.More)
	case h != nil:
		id := report.Clean(h.Finding.ID)
		out.Link = "./?id=" + url.QueryEscape(id) + "#f-" + url.PathEscape(id)
		out.End = true
	case b.Node.Frame == (tracker.Frame{}):
	default:
		if b.Width < flamePlace {
			text = bare(text)
		} else {
			place = report.Clean(report.Frame(b.Node.Frame).ShortPlace())
		}
		out.Library = report.Frame(b.Node.Frame).Standard()
	}
	if b.Width >= flameText {
		out.Text, out.Place = cut(text), cut(place)
	}
	return out
}

// name is what a node is called in its box.
func name(n *flame.Node) string {
	if h := n.Handles; h != nil {
		return fmt.Sprintf("%s %s %s", marks[n.State], report.Handles(n.Count, h.Finding.Kind.String()), n.State)
	}
	if n.Frame == (tracker.Frame{}) {
		return "all " + words.Plural(n.Count, "handle")
	}
	return report.Clean(report.Frame(n.Frame).ShortFunction())
}

// bare makes "checkout" of "web.(*Server).checkout".
func bare(function string) string {
	if _, rest, ok := strings.Cut(function, "."); ok {
		function = rest
	}
	if strings.HasPrefix(function, "(*") {
		if _, rest, ok := strings.Cut(function, ")."); ok {
			function = rest
		}
	}
	return function
}

// marks are the shapes of the states on the page.
var marks = map[tracker.State]string{tracker.StateOpen: "●", tracker.StateOverdue: "▲", tracker.StateLeaked: "■"}

// title says all of a box that may be too narrow for it.
func (d *flameDrawing) title(b flame.Box) string {
	n := b.Node
	what := name(n)
	share := d.by.Of(n)
	switch {
	case b.More > 0:
		return fmt.Sprintf("%d more calls, too narrow to draw: %s", b.More, words.Plural(b.Count, "handle"))
	case n.Handles != nil:
		f := n.Handles.Finding
		what += " of pool " + cut(report.Clean(f.Pool))
		if n.State == tracker.StateLeaked {
			what += ", " + report.Clean(string(f.Proof))
		}
	case n.Frame != (tracker.Frame{}):
		what = cut(report.Clean(n.Frame.Function)) + " " + cut(report.Clean(report.Frame(n.Frame).ShortPlace()))
		what += ": " + words.Plural(n.Count, "handle")
		if n.State != tracker.StateOpen {
			what += ", the worst " + n.State.String()
		}
	}
	what += ", open for " + words.Duration(report.Seconds(n.Seconds))
	if n.Count > 1 {
		what += " together"
	}
	return what + ", " + d.share(share)
}

func (d *flameDrawing) share(of float64) string {
	if d.whole == 0 {
		return "100 %"
	}
	return strconv.FormatFloat(math.Round(1000*of/d.whole)/10, 'f', -1, 64) + " %"
}

func percent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e5)/1e3, 'f', -1, 64) + "%"
}

// cut keeps a text from filling the page a thousand times.
func cut(text string) string { return words.Cut(text, flameWords) }
