package httpdebug

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func TestGolden(t *testing.T) {
	for name, s := range map[string]tracker.Snapshot{
		"full": reporttest.Snapshot(), "quiet": reporttest.Quiet(), "hostile": reporttest.Hostile(), "empty": {},
	} {
		t.Run(name, func(t *testing.T) {
			h := testHandler(s, Allow(everything))
			page := serve(h, get(""))
			wantStatus(t, page, 200)
			reporttest.Golden(t, name+".html", page.Body.Bytes())
			checkMarkup(t, page.Body.Bytes())
			reporttest.Golden(t, name+".json", serve(h, get("json")).Body.Bytes())
			reporttest.Golden(t, name+".txt", serve(h, get("text")).Body.Bytes())
		})
	}
	for name, target := range map[string]string{
		"filtered": "?pool=orders&kind=conn&min_age=10s&func=jobs", "one": "?id=f2", "help": "help",
	} {
		t.Run(name, func(t *testing.T) {
			page := serve(testHandler(reporttest.Snapshot()), get(target))
			wantStatus(t, page, 200)
			reporttest.Golden(t, name+".html", page.Body.Bytes())
			checkMarkup(t, page.Body.Bytes())
		})
	}
}

var ownScript = []xml.Attr{{Name: xml.Name{Local: "type"}, Value: "module"}, {Name: xml.Name{Local: "src"}, Value: "live.js"}}

// checkMarkup reads the page as XML with HTML's laxities: its elements must
// nest and its attributes be closed. Nothing in it may be code but the page's.
func checkMarkup(t *testing.T, page []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	ids := map[string]bool{}
	for {
		token, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%v at byte %d", err, d.InputOffset())
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if e.Name.Local == "script" && !slices.Equal(e.Attr, ownScript) {
			t.Errorf("a script with the attributes %v", e.Attr)
		}
		if e.Name.Local == "details" && !slices.ContainsFunc(e.Attr, func(a xml.Attr) bool { return a.Name.Local == "id" }) {
			t.Error("details without an id: the script doesn't find again what was unfolded")
		}
		if e.Name.Local == "style" {
			t.Error("a style element")
		}
		for _, a := range e.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "style" {
				t.Errorf("<%s> has the attribute %s", e.Name.Local, a.Name.Local)
			}
			if a.Name.Local == "id" {
				if ids[a.Value] {
					t.Errorf("id %q twice", a.Value)
				}
				ids[a.Value] = true
			}
		}
	}
}

// Each text is seen on the page as a text, and whole.
func TestHostileNamesStayText(t *testing.T) {
	h := testHandler(reporttest.Hostile(), Allow(everything), SourceURL(func(f tracker.Frame) string {
		return "https://git.example.com/" + f.File
	}))
	h.openers = reporttest.HostileOpeners
	h.process.Program += reporttest.Evil
	h.process.Revision += reporttest.Evil
	h.process.GoVersion += reporttest.Evil
	evil := "?func=" + url.QueryEscape(reporttest.Evil) + "&pool=" + url.QueryEscape(reporttest.Evil)
	for _, target := range []string{"", evil} {
		page := serve(h, get(target)).Body.String()
		checkMarkup(t, []byte(page))
		if strings.Count(strings.ToLower(page), "<script") != 1 || strings.Contains(page, "javascript:") {
			t.Error("a script that is not the page's")
		}
		if !utf8.ValidString(page) {
			t.Error("the page is not UTF-8")
		}
		for i, r := range page {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%U at byte %d: …%q…", r, i, page[max(0, i-60):i])
				break
			}
		}
	}
	text := serve(h, get("text")).Body.String()
	if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("byte %d of the text: …%q…", i, text[max(0, i-60):i+1])
	}
	var doc map[string]any
	if err := json.Unmarshal(serve(h, get("json")).Body.Bytes(), &doc); err != nil {
		t.Error(err)
	}
}

// Hostile paths, parameters and headers come back only as text.
func TestHostileRequests(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	escaped := url.PathEscape(reporttest.Evil)
	for _, r := range []struct{ target, origin string }{
		{target: escaped},
		{target: "?kind=" + url.QueryEscape(reporttest.Evil)},
		{target: "?min_age=" + url.QueryEscape(reporttest.Evil)},
		{target: "pprof?seconds=" + url.QueryEscape(reporttest.Evil)},
		{origin: reporttest.Evil},
	} {
		req := get(r.target)
		if r.origin != "" {
			req.Header.Set("Origin", r.origin)
		}
		w := serve(h, req)
		if w.Code < 400 || w.Header().Get("Content-Type") != textType {
			t.Errorf("%+v: status %d, %s", r, w.Code, w.Header().Get("Content-Type"))
		}
		if body := w.Body.String(); strings.ContainsFunc(body, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%+v: %q", r, body)
		}
	}
}

func TestStates(t *testing.T) {
	page := serve(testHandler(reporttest.Quiet()), get("")).Body.String()
	if want := "Nothing held beyond its threshold; watching 2 pools since "; !strings.Contains(page, want) {
		t.Errorf("the quiet page doesn't say %q", want)
	}
	page = serve(testHandler(reporttest.Snapshot()), get("?func=nowhere")).Body.String()
	if want := "Nothing that passes this filter is held"; !strings.Contains(page, want) {
		t.Errorf("the page without matches doesn't say %q", want)
	}
	// A state is a word and, by the style sheet, a shape; never a colour alone.
	page = serve(testHandler(reporttest.Snapshot()), get("")).Body.String()
	style := serve(testHandler(reporttest.Snapshot()), get("style.css")).Body.String()
	for _, state := range []string{"leaked", "overdue", "open"} {
		if want := `<b class="badge ` + state + `">` + state + "</b>"; !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, want := range []string{".badge::before {", ".badge.leaked::before {", ".badge.overdue::before {", ".badge.recovered::before {"} {
		if !strings.Contains(style, want) {
			t.Errorf("no rule %q", want)
		}
	}
}

// A line may have handles in trouble and others that aren't, with one ID.
func TestOneIDTwice(t *testing.T) {
	s := reporttest.Snapshot()
	young := s.Findings[0]
	young.State, young.Proof = tracker.StateOpen, ""
	s.Open = append(s.Open, young)
	for _, target := range []string{"", "?id=" + young.ID} {
		page := serve(testHandler(s), get(target)).Body.String()
		checkMarkup(t, []byte(page))
		for _, id := range []string{`id="f-f1"`, `id="o-f1"`} {
			if !strings.Contains(page, id) {
				t.Errorf("%q shows no %s", target, id)
			}
		}
	}
}

func TestPageOfWhatIsOver(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	for id, want := range map[string]string{
		"e1":   "Nothing open has the ID e1: what had it is over.",
		"none": "Nothing open has the ID none: what had it may be over, or be of another process.",
	} {
		page := serve(h, get("?id="+id)).Body.String()
		if !strings.Contains(page, want) {
			t.Errorf("?id=%s doesn't say %q", id, want)
		}
		if strings.Contains(page, `<details class="more" open id=`) != (id == "e1") {
			t.Errorf("?id=%s: what has ended is not open, or there is some", id)
		}
	}
}

// A source line may have SQL in it: who sees one sees the other.
func TestSourceLinesAreSensitive(t *testing.T) {
	file, err := filepath.Abs("page_test.go")
	if err != nil {
		t.Fatal(err)
	}
	s := reporttest.Snapshot()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	s.Findings[0].Site = tracker.Frame{Function: "main.main", File: file, Line: 1}
	const want = "<mark>    1  package httpdebug</mark>"
	if page := serve(testHandler(s), get("")).Body.String(); strings.Contains(page, "package httpdebug") || strings.Contains(page, "SELECT") {
		t.Error("an outsider sees source lines or SQL")
	}
	for changed, started := range map[bool]time.Time{true: info.ModTime().Add(-1), false: info.ModTime()} {
		h := testHandler(s, Allow(everything))
		h.process.StartedAt = started
		page := serve(h, get("")).Body.String()
		if !strings.Contains(page, want) {
			t.Errorf("an insider doesn't see %s", want)
		}
		if strings.Contains(page, "The file has changed") != changed {
			t.Errorf("that the file has changed is told wrongly; it has: %v", changed)
		}
	}
}

// The form offers every pool, whatever is filtered, and shows the filter.
func TestFormShowsTheFilter(t *testing.T) {
	page := serve(testHandler(reporttest.Snapshot()), get("?pool=archive&state=open&min_age=1m30s")).Body.String()
	for _, want := range []string{
		`<option value="archive" selected>archive</option><option value="orders">orders</option>`,
		`<option selected>open</option>`,
		`value="1m30s"`,
		`href="text?min_age=1m30s&amp;pool=archive&amp;state=open"`,
		`<a href="?">Show all</a>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
}

// Every class that the page uses is styled, and no rule is left over.
func TestStyleMatchesPage(t *testing.T) {
	style, err := assets.ReadFile("assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	var template []byte
	names, err := fs.Glob(assets, "assets/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		part, err := assets.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		template = append(template, part...)
	}
	script, err := assets.ReadFile("assets/live.js")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{"recovered": true, "threshold": true}
	for _, m := range regexp.MustCompile(`classList\.\w+\("([a-z]+)"`).FindAllSubmatch(script, -1) {
		used[string(m[1])] = true
	}
	for _, m := range regexp.MustCompile(`class="([^"]*)"`).FindAllSubmatch(template, -1) {
		clean := regexp.MustCompile(`{{[^}]*}}`).ReplaceAllString(string(m[1]), " ")
		for _, c := range strings.Fields(clean) {
			used[c] = true
		}
	}
	for _, s := range report.States {
		used[s] = true
	}
	for _, m := range regexp.MustCompile(`\.([a-z][a-z-]*)`).FindAllSubmatch(style, -1) {
		if !used[string(m[1])] {
			t.Errorf("style.css has a rule for .%s, which the page doesn't use", m[1])
		}
	}
}
