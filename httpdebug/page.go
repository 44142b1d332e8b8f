package httpdebug

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/flame"
	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// page is what the template shows.
type page struct {
	Doc    report.Document // fit to print, narrowed by the filter
	Filter report.Filter   // as the form shows it
	Pools  []string        // the choices of the form
	// ManyPools: they are too many to choose from, the visitor types a name.
	ManyPools bool
	By        string // what the form keeps of a flame graph, or empty
	// What the page has room for.
	Exhausted      exhausted
	Groups         groups
	Findings, Open rows
	Ended          ended
	Flame          flameGraph
	// NotLooked says why it isn't known what the openers do, and LookNow is
	// where it is asked again; empty if it is known.
	NotLooked, LookNow string
	// Query is the filter with a question mark in front, for links to the
	// other formats, or empty.
	Query string
	// Pprof is the address of the profile, for a shell.
	Pprof string
	// SelfTest says how the last one went; CanTest, that there may be another.
	SelfTest string
	CanTest  bool
}

func (h *handler) servePage(v *visit) error {
	v.w.Header().Set("Vary", "Accept, User-Agent")
	if wantsText(v.r) {
		return h.serveText(v)
	}
	f, err := v.filter()
	if err != nil {
		return err
	}
	s := h.snapshot()
	pools := poolNames(s)
	s = f.Apply(s)
	d := report.Build(s, f, h.process, v.sensitive)
	d, notLooked, err := h.withOpeners(v, s, d)
	if err != nil {
		return err
	}
	d = d.Printable()
	p := page{
		Doc: d, Filter: shown(f), Pools: pools, ManyPools: len(pools) > maxNames, NotLooked: notLooked,
		Exhausted: newExhausted(d), Groups: newGroups(d), Ended: newEnded(d),
		SelfTest: h.selfTest.words(d, v.sensitive), CanTest: h.selfTest.run != nil,
	}
	b := rowBuilder{handler: h, single: f.ID != "", sensitive: v.sensitive}
	p.Findings, p.Open = b.lists(d, notLooked == "")
	if len(s.Findings)+len(s.Open) <= flamePartLines {
		p.Flame = newFlameGraph(s, f, flame.ByCount, "", flamePart)
	}
	q := f.Values()
	p.Query = query(q)
	q.Set(paramOpeners, "now")
	p.LookNow = query(q)
	p.Pprof = pprofURL(v.r, p.Query)
	return v.show("page.html", p)
}

func (h *handler) serveHelp(v *visit) error { return v.show("help.html", nil) }

// show answers with one of the templates.
func (v *visit) show(name string, data any) error {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		return err
	}
	v.write(http.StatusOK, "text/html; charset=utf-8", b.Bytes())
	return nil
}

// query is what a link has behind its path, if anything.
func query(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// shown is the filter as the form shows it.
func shown(f report.Filter) report.Filter {
	f.Pool, f.Function = report.Clean(f.Pool), report.Clean(f.Function)
	return f
}

// poolNames are fit to print; a filter takes them like that.
func poolNames(s tracker.Snapshot) []string {
	var names []string
	for _, p := range s.Pools {
		names = append(names, report.Clean(p.Name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// pprofURL is the absolute address of the profile, in quotes for a shell. It
// is made from what the client asked for, as StripPrefix may have cut r.URL.
func pprofURL(r *http.Request, query string) string {
	u := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path}
	if asked, err := url.ParseRequestURI(r.RequestURI); err == nil {
		u.Path = asked.Path
	}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	u.Path = u.Path[:strings.LastIndexByte(u.Path, '/')+1] + "pprof"
	// In single quotes a shell takes everything as it is but these.
	return "'" + strings.ReplaceAll(report.Clean(u.String()+query), "'", "%27") + "'"
}

func clock(t time.Time) string { return t.Format("2006-01-02 15:04:05 -07:00") }

// title says the worst in front, as a tab has little room.
func title(d report.Document) string {
	said := "Nothing overdue"
	if d.Summary.Leaked > 0 || d.Summary.Overdue > 0 {
		said = fmt.Sprintf("%d leaked, %d overdue", d.Summary.Leaked, d.Summary.Overdue)
	}
	if exhausted := d.ExhaustedWords(); exhausted != "" {
		said = exhausted + ", " + said
	}
	return said + " · " + d.Process.Program + " · dbleaks"
}

var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"words":   words.Duration,
		"seconds": report.Seconds,
		"handles": report.Handles,
		"plural":  words.Plural,
		"kinds":   func() []string { return report.Kinds },
		"states":  func() []string { return report.States },
		"clock":   clock,
		"title":   title,
		// The ids of what live events tell of.
		"poolItem":      poolItem,
		"exhaustedItem": exhaustedItem,
		"refusedItem":   refusedItem,
		"age":           age,
		"change":        change,
		"iso":           func(t time.Time) string { return t.Format(time.RFC3339) },
	}).ParseFS(assets, "assets/*.html"))
})
