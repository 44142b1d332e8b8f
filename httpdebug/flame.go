package httpdebug

import (
	"net/http"

	"github.com/dbleaks-go/dbleaks/internal/flame"
	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

const (
	// flameBoxes and flamePart bound the boxes of the graph on its own page and
	// as a part of another: each takes some 300 bytes.
	flameBoxes = 600
	flamePart  = 120
	// flamePartLines is how many lines may have opened what is in that part: with
	// more it is rather seen on its own page, and the other has no room for it.
	flamePartLines = 50
	// maxFlameFilter is the length, in bytes, of a filter: every box has it in
	// its link.
	maxFlameFilter = 1000
)

// flamePage is what the template of the graph's own page shows.
type flamePage struct {
	page
	Flame flameGraph
}

// flameGraph is what the template "flame" shows.
type flameGraph struct {
	By            string
	Count, Age    string // links to the graph by the one and the other
	All           string // link to the whole graph
	Zoomed        string // the call that is zoomed to
	Gone          bool   // it holds nothing now
	Boxes         []flameBox
	Height        int
	Total         int
	HandleSeconds string
	Filtered      bool
	TooLong       bool // the filter, to draw anything
}

func (h *handler) serveFlame(v *visit) error {
	f, err := v.filter()
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	by, ok := flame.ParseBy(q.Get("by"))
	if !ok {
		return failf(http.StatusBadRequest, "parameter by: %q is neither count nor age", q.Get("by"))
	}
	s := h.snapshot()
	p := flamePage{page: page{
		Doc:    report.Document{Process: h.process, GeneratedAt: s.TakenAt, Since: s.Since}.Printable(),
		Filter: shown(f),
		Pools:  poolNames(s),
		By:     q.Get("by"),
	}}
	p.Query = query(f.Values())
	p.Flame = newFlameGraph(f.Apply(s), f, by, q.Get("frame"), flameBoxes)
	return v.show("flame.html", p)
}

// newFlameGraph draws a snapshot that the filter was applied to, zoomed to the
// node of that ID, with at most so many boxes.
func newFlameGraph(s tracker.Snapshot, f report.Filter, by flame.By, frame string, most int) flameGraph {
	root := flame.New(s)
	d := flameDrawing{by: by, filter: f.Values(), whole: by.Of(root)}
	path, gone := []*flame.Node{root}, false
	if frame != "" {
		if path = root.Find(frame); path == nil {
			frame, path, gone = "", []*flame.Node{root}, true
		}
	}
	g := flameGraph{
		By: by.String(), Count: d.link(flame.ByCount, frame), Age: d.link(flame.ByAge, frame), All: d.link(by, ""),
		Gone: gone, Total: root.Count, HandleSeconds: words.Duration(report.Seconds(root.Seconds)), Filtered: len(d.filter) > 0,
	}
	if len(path) > 1 {
		g.Zoomed = name(path[len(path)-1])
	}
	if root.Count == 0 {
		return g
	}
	if len(d.filter.Encode()) > maxFlameFilter {
		g.TooLong = true
		return g
	}
	boxes, rows := flame.Layout(path, by, most)
	g.Height = rows * flameRow
	for _, b := range boxes {
		g.Boxes = append(g.Boxes, d.box(b))
	}
	return g
}
