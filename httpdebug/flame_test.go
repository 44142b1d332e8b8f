package httpdebug

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/flame"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func flameOf(t *testing.T, h *handler, target string) string {
	t.Helper()
	w := serve(h, get(target))
	wantStatus(t, w, 200)
	if got := w.Header().Get("Content-Type"); got != htmlType {
		t.Errorf("%s: %s", target, got)
	}
	checkMarkup(t, w.Body.Bytes())
	return w.Body.String()
}

func TestFlameGolden(t *testing.T) {
	for name, s := range map[string]tracker.Snapshot{"full": reporttest.Snapshot(), "hostile": reporttest.Hostile(), "empty": {}} {
		reporttest.Golden(t, name+".flame.html", []byte(flameOf(t, testHandler(s), "flame")))
	}
}

var flameLink = regexp.MustCompile(`<a href="(flame[^"]*)" class="([^"]*)"><title>([^<]*)`)

func TestFlameZoom(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	whole := flameOf(t, h, "flame")
	var checkout string
	for _, m := range flameLink.FindAllStringSubmatch(whole, -1) {
		if strings.HasPrefix(m[3], "example.com/shop/web.(*Server).checkout checkout.go:118: 5 handles, the worst leaked") {
			checkout = m[1]
		}
	}
	if checkout == "" {
		t.Fatalf("no box of checkout in\n%s", whole)
	}
	zoomed := flameOf(t, h, checkout)
	for _, want := range []string{
		`zoomed to <span class="fn">web.(*Server).checkout</span> <a href="flame">show all</a>`,
		`class="leaked lib above"><title>net/http.HandlerFunc.ServeHTTP server.go:2322: 8 handles`,
		`class="leaked"><title>example.com/shop/web.(*Server).checkout checkout.go:118: 5 handles, the worst leaked, open for 6m 50s together, 62.5 %</title><svg x="0%" y="66" width="100%" height="21">`,
		`<a href="./?id=f1#f-f1" class="leaked end"><title>■ 4 × rows leaked of pool orders, unreachable`,
		`<a href="./?id=f2#f-f2" class="overdue end"><title>▲ 1 × tx overdue of pool orders`,
	} {
		if !strings.Contains(zoomed, want) {
			t.Errorf("no %s in\n%s", want, zoomed)
		}
	}
	if strings.Contains(zoomed, "jobs.Export") {
		t.Error("what is beside the call is drawn")
	}
	// The zoom outlives another measure, and is dropped with what it shows.
	if !strings.Contains(zoomed, `<a href="`+strings.Replace(checkout, "?", "?by=age&amp;", 1)+`">time they have been open</a>`) {
		t.Error("the link to the other measure loses the zoom")
	}
	gone := flameOf(t, h, checkout+"&state=open")
	for _, want := range []string{"holds nothing any more", `class="open"><title>all 3 handles`, `href="flame?by=age&amp;state=open"`} {
		if !strings.Contains(gone, want) {
			t.Errorf("no %s in\n%s", want, gone)
		}
	}
}

func TestBareFunction(t *testing.T) {
	for function, want := range map[string]string{
		"web.(*Server).checkout.func1": "checkout.func1", "main.main": "main", "time.Time.Sub": "Time.Sub",
		"store.Get[...]": "Get[...]", "": "", "odd": "odd", "x.(*odd": "(*odd",
	} {
		if got := bare(function); got != want {
			t.Errorf("%q: %q, want %q", function, got, want)
		}
	}
}

func TestFlameParameters(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	for target, want := range map[string]string{
		"flame?kind=tx":         `<a href="./?id=f2#f-f2"`,
		"flame?pool=archive":    `<title>all 1 handle,`,
		"flame?min_age=1h":      `● 1 × conn open of pool orders`,
		"flame?func=nowhere":    "No handle that passes this filter is open.",
		"flame?state=recovered": "No handle that passes this filter is open.",
		"flame?by=age":          `<input type="hidden" name="by" value="age"><button>`,
		"flame?by=age&kind=tx":  `<a href="flame?kind=tx">number of handles</a> <b>time`,
		"flame?frame=" + url.QueryEscape(reporttest.Evil): "holds nothing any more",
	} {
		if page := flameOf(t, h, target); !strings.Contains(page, want) {
			t.Errorf("%s: no %s in\n%s", target, want, page)
		}
	}
	for target, want := range map[string]string{
		"flame?by=size": `parameter by: "size" is neither count nor age`,
		"flame?kind=x":  "parameter kind:",
	} {
		w := serve(h, get(target))
		wantStatus(t, w, 400)
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %.300s", target, w.Body)
		}
	}
}

// However much is open, the page is quick and not large.
func TestFlameIsBounded(t *testing.T) {
	var s tracker.Snapshot
	for i := range 500 {
		var stack []tracker.Frame
		for d := range 60 {
			stack = append(stack, tracker.Frame{
				Function: fmt.Sprintf("example.com/shop/internal/orders.(*Service).call%dOf%d", d, i), File: "/src/orders.go", Line: d + 1,
			})
		}
		s.Findings = append(s.Findings, tracker.Finding{
			ID: fmt.Sprintf("%016x", i), Kind: tracker.KindRows, State: tracker.StateOverdue, Pool: "orders",
			Site: stack[0], Stack: stack, Count: 100, Median: time.Minute,
		})
	}
	h := testHandler(s)
	start := time.Now()
	page := flameOf(t, h, "flame?pool=orders")
	t.Logf("%d bytes in %v", len(page), time.Since(start))
	if len(page) > 320_000 {
		t.Errorf("%d bytes", len(page))
	}
	if n := strings.Count(page, `class="rest"`); n != 500 {
		t.Errorf("%d boxes say that there is more", n)
	}
	g := newFlameGraph(s, report.Filter{}, flame.ByCount, "", flamePart)
	var part bytes.Buffer
	if err := templates().ExecuteTemplate(&part, "flame", g); err != nil || part.Len() > 100_000 {
		t.Errorf("%v, %d bytes as a part of another page", err, part.Len())
	}
	long := strings.Repeat("x", 10_000)
	for i := range s.Findings {
		s.Findings[i].Site.Function += long
	}
	if page := flameOf(t, h, "flame?func="+long); !strings.Contains(page, "The filter is too long") || len(page) > 100_000 {
		t.Errorf("%d bytes with a long filter", len(page))
	}
	for i := range s.Findings {
		s.Findings[i].Pool = strings.Repeat(reporttest.Evil, 1000)
		for j := range s.Findings[i].Stack {
			s.Findings[i].Stack[j].Function += strings.Repeat("ü", 10_000)
		}
	}
	if page := flameOf(t, h, "flame"); len(page) > 1_200_000 {
		t.Errorf("%d bytes with long names", len(page))
	}
}

// The page has the graph, too, unless it has no room, or is about one finding.
func TestFlameOnThePage(t *testing.T) {
	for target, want := range map[string]bool{"": true, "?kind=tx": true, "?id=f1": false, "?func=nowhere": false} {
		page := serve(testHandler(reporttest.Snapshot()), get(target)).Body.String()
		if got := strings.Contains(page, `<svg class="flame"`); got != want {
			t.Errorf("%q: has a flame graph: %v", target, got)
		}
	}
	page := serve(testHandler(large()), get("?pool=orders")).Body.String()
	if strings.Contains(page, `<svg class="flame"`) || !strings.Contains(page, `<a href="flame?pool=orders">flame graph</a>`) {
		t.Error("a page of 500 lines should link to the graph, and not have it")
	}
}

//go:noinline
func queryOf(t *testing.T, db *sql.DB) *sql.Rows {
	rows, err := db.Query("rows 9")
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

//go:noinline
func checkoutOf(t *testing.T, db *sql.DB) *sql.Rows { return queryOf(t, db) }

//go:noinline
func exportOf(t *testing.T, db *sql.DB) *sql.Rows { return queryOf(t, db) }

// The handles of one line are below those that called it.
func TestFlameTellsCallersApart(t *testing.T) {
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr))
	defer db.Close()
	for _, open := range []func(*testing.T, *sql.DB) *sql.Rows{checkoutOf, exportOf, exportOf} {
		rows := open(t, db)
		defer rows.Close()
	}
	h := newHandler([]Option{WithTracker(tr)})
	h.prefix = prefix
	page := flameOf(t, h, "flame")
	for _, want := range []string{
		"httpdebug.checkoutOf flame_test.go:", ": 1 handle, open", "httpdebug.exportOf flame_test.go:", ": 2 handles, open", "all 3 handles",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if n := strings.Count(page, "httpdebug.queryOf flame_test.go:"); n != 2 {
		t.Errorf("the line is drawn %d times", n)
	}
}
