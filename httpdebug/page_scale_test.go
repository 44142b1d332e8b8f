package httpdebug

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// large is a service with 50,000 open handles of 500 sites, each of them 60
// frames below main, and a hundred findings that are over.
func large() tracker.Snapshot {
	s := reporttest.Snapshot()
	s.Findings, s.Open, s.Ended = nil, nil, nil
	for i := range 500 {
		f := largeFinding(i)
		if i < 400 {
			f.State, f.Reason = tracker.StateOverdue, "idle for 41s, threshold 30s"
			s.Findings = append(s.Findings, f)
		} else {
			s.Open = append(s.Open, f)
		}
	}
	for i := range 100 {
		f := largeFinding(1000 + i)
		s.Ended = append(s.Ended, tracker.Ended{Finding: f, At: reporttest.Now.Add(-time.Minute), Held: 41 * time.Second, Count: 3})
	}
	return s
}

func largeFinding(i int) tracker.Finding {
	f := reporttest.Snapshot().Findings[1]
	f.ID = fmt.Sprintf("%016x", uint64(i)*0x9e3779b97f4a7c15)
	f.Count = 100
	f.Scope = "GET /orders/{id}/items"
	f.Query = strings.Repeat("SELECT sku, name FROM products ", 10)
	f.Held = tracker.HeldTimes{Count: 5000}
	for b := range 20 {
		f.Held.Buckets = append(f.Held.Buckets, tracker.HeldBucket{UpTo: 100 * time.Microsecond << b, Count: 250})
	}
	f.Held.Buckets = append(f.Held.Buckets, tracker.HeldBucket{UpTo: math.MaxInt64, Count: 1})
	f.Site = tracker.Frame{
		Function: fmt.Sprintf("example.com/shop/internal/store.(*Orders).FindByCustomer%d", i),
		File:     "/home/build/src/example.com/shop/internal/store/orders.go", Line: 42 + i,
	}
	f.Stack = f.Stack[:1:1]
	f.Stack = append(f.Stack, f.Site)
	for d := range 58 {
		f.Stack = append(f.Stack, tracker.Frame{
			Function: fmt.Sprintf("example.com/shop/internal/handlers.(*Server).middleware%d.func1", d),
			File:     "/home/build/src/example.com/shop/internal/handlers/middleware.go", Line: 100 + d,
		})
	}
	return f
}

// However much is open, the page stays small.
func TestPageIsBounded(t *testing.T) {
	h := testHandler(large(), Allow(everything))
	w := serve(h, get(""))
	wantStatus(t, w, 200)
	if n := w.Body.Len(); n > 300_000 {
		t.Errorf("the page has %d bytes, more than 300,000", n)
	}
	checkMarkup(t, w.Body.Bytes())
}

// However many pools there are, and in trouble.
func TestPageOfManyPoolsIsBounded(t *testing.T) {
	s := large()
	s.Pools = nil
	var holders []tracker.Holder
	for _, f := range s.Findings[:5] {
		holders = append(holders, tracker.Holder{Handles: f})
	}
	for i := range 5000 {
		s.Pools = append(s.Pools, tracker.Pool{
			ID: uint64(100 + i), Name: fmt.Sprintf("tenant%d.example.com/orders", i), InUse: 9,
			Exhausted: &tracker.Exhaustion{Limit: 9, InUse: 9, Waiting: 4, Reason: "all 9 connections are in use", Holders: holders},
		})
	}
	h := testHandler(s, Allow(everything))
	for _, query := range []string{"", "?id=" + s.Findings[0].ID, "?pool=tenant7.example.com/orders"} {
		w := serve(h, get(query))
		wantStatus(t, w, 200)
		if n := w.Body.Len(); n > 350_000 {
			t.Errorf("%q: the page has %d bytes, more than 350,000", query, n)
		}
		checkMarkup(t, w.Body.Bytes())
	}
	page := serve(h, get("")).Body.String()
	for _, want := range []string{"And 4990 more pools are exhausted,", `Pool <input name="pool"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	if page := serve(h, get("?pool=tenant7.example.com/orders")).Body.String(); !strings.Contains(page, `<input name="pool" value="tenant7.example.com/orders">`) {
		t.Error("the form forgets the pool")
	}
}

// Only the first rows open; what they would show is on the pages that the
// others link to.
func TestRowsBeyondTheFirstAreLinks(t *testing.T) {
	h := testHandler(large(), Allow(everything))
	page := serve(h, get("")).Body.String()
	if n := strings.Count(page, `<details class="finding"`); n != maxBodies {
		t.Errorf("%d findings open, want %d", n, maxBodies)
	}
	if n := strings.Count(page, `<a class="row"`); n != 500-maxBodies {
		t.Errorf("%d rows are links, want %d", n, 500-maxBodies)
	}
	if n := strings.Count(page, "and 48 more</a>"); n != maxBodies {
		t.Errorf("%d stacks are cut, want %d", n, maxBodies)
	}
	last := large().Findings[399]
	one := serve(h, get("?id="+last.ID)).Body.String()
	for _, want := range []string{`<details class="finding" id="f-` + last.ID + `" open>`, "middleware57.func1", last.Query} {
		if !strings.Contains(one, want) {
			t.Errorf("the page of one doesn't show %q", want)
		}
	}
	if strings.Contains(one, largeFinding(398).Site.Function) {
		t.Error("the page of one shows another")
	}
}

// What is past the limits of the page is counted there.
func TestPageCountsWhatItLeavesOut(t *testing.T) {
	s := large()
	for i := range 30 {
		s.Findings = append(s.Findings, largeFinding(2000+i))
		s.Pools = append(s.Pools, tracker.Pool{ID: uint64(100 + i), Name: fmt.Sprintf("tenant%d", i), InUse: i})
	}
	page := serve(testHandler(s), get("")).Body.String()
	for _, want := range []string{
		"And those of 30 more lines:", // of 430 findings and 100 groups of open handles
		"And 2 more pools,",
		"And 75 more before;",
		`<th scope="row"><span class="name">tenant2</span>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	// Those that are left out have nothing to tell.
	for _, pool := range []string{"tenant0", "tenant1"} {
		if strings.Contains(page, `<th scope="row"><span class="name">`+pool+"<") {
			t.Errorf("pool %s is shown", pool)
		}
	}
	for range 600 {
		s.Findings = append(s.Findings, largeFinding(3000+len(s.Findings)))
	}
	page = serve(testHandler(s), get("")).Body.String()
	for _, want := range []string{"And 530 more findings:", "And those of 100 more lines:"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
}

// lines are places that open rows.
var lines = []func(context.Context, *sql.DB) (*sql.Rows, error){
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
	func(ctx context.Context, db *sql.DB) (*sql.Rows, error) { return db.QueryContext(ctx, "rows 9") },
}

// A snapshot of 50,000 handles that 25 lines opened in 20 pools, and the page
// of it.
// An event is smaller still: a page that is open must cost next to nothing.
func TestEventsAreSmall(t *testing.T) {
	h := testHandler(large())
	old := h.liveState(h.snapshot(), report.Filter{})
	later := large()
	for i := range later.Findings {
		later.Findings[i].Age += liveTick
		later.Findings[i].Reason = "idle for 43s, threshold 30s"
	}
	event := h.liveState(later, report.Filter{}).since(old)
	for what, e := range map[string]struct {
		liveEvent
		limit int
	}{"the first": {old.event(), 80_000}, "a later one": {event, 5_000}} {
		data, err := json.Marshal(e.liveEvent)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > e.limit {
			t.Errorf("%s has %d bytes, more than %d", what, len(data), e.limit)
		}
	}
}

func BenchmarkLiveState(b *testing.B) {
	h := testHandler(large())
	s := h.snapshot()
	for b.Loop() {
		h.liveState(s, report.Filter{})
	}
}

func BenchmarkPage(b *testing.B) {
	tr, err := tracker.New()
	if err != nil {
		b.Fatal(err)
	}
	defer tr.Close()
	for i := range 20 {
		db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr), driverwrap.WithName(fmt.Sprintf("pool%d", i)))
		defer db.Close()
		for _, line := range lines {
			for range 100 {
				rows, err := line(context.Background(), db)
				if err != nil {
					b.Fatal(err)
				}
				defer rows.Close()
			}
		}
	}
	h := newHandler([]Option{WithTracker(tr), Allow(everything)})
	for b.Loop() {
		w := serve(h, get(""))
		b.ReportMetric(float64(w.Body.Len()), "bytes")
	}
}
