package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/words"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// What the page has of the findings whose line is in a method.
func rowOf(method string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("[id^=f-]")].find((e) => e.innerText.includes(%s))`, quote("."+method))
}

// known waits until the tracker has reported so many handles of a kind.
func (s *service) known(kind tracker.Kind, count int) {
	s.t.Helper()
	s.until(fmt.Sprintf("%d %v are reported", count, kind), func(now tracker.Snapshot) bool {
		n := 0
		for _, f := range now.Findings {
			if f.Kind == kind && !f.FirstSeen.IsZero() {
				n += f.Count
			}
		}
		return n == count
	})
}

func TestLiveUpdate(t *testing.T) {
	t.Parallel()
	s := newService(t, "orders", nil)
	s.findOrder()
	s.known(tracker.KindRows, 1)
	p := newTab(t, light)
	p.live(s.url)
	find := rowOf("findOrder")
	p.click("summary.row")
	p.wait(find + ".open")

	// What is there changes in place.
	s.findOrder()
	p.wait(find + `.querySelector(".count b").textContent === "2"`)
	p.wait(`document.querySelector(".counts .leaked b").textContent === "2"`)
	p.wait(`document.title.startsWith("2 leaked, ")`)
	p.wait(`document.querySelector(".pools [data-live=in_use]").textContent === "2"`)
	if !eval[bool](p, find+".open") {
		t.Error("the finding that was open is closed")
	}

	// Ages go on between events.
	eval[bool](p, `(window.ages = new Set(), new MutationObserver(() => ages.add(`+find+`.querySelector(".age b").textContent)).observe(`+
		find+`, { subtree: true, childList: true }), true)`)
	p.wait(`ages.size > 3`)

	// What is new is offered, and shown when asked for.
	tx := s.checkout(context.Background())
	p.wait(`document.querySelector("[data-show]").innerText === "1 new, show"`)
	p.shot("live-new")
	if eval[bool](p, "Boolean("+rowOf("checkout")+")") {
		t.Error("the page was changed under the reader's eyes")
	}
	eval[bool](p, `(scrollTo(0, 60), document.querySelector("input[name=func]").value = "half typed", true)`)
	top := eval[float64](p, find+".getBoundingClientRect().top")
	p.click("[data-show]")
	p.wait(rowOf("checkout") + `?.matches(".new")`)
	p.shot("live-shown")
	if !eval[bool](p, find+".open") {
		t.Error("the finding that was open is closed")
	}
	if got := eval[string](p, `document.querySelector("input[name=func]").value`); got != "half typed" {
		t.Errorf("the form has %q", got)
	}
	if got := eval[float64](p, find+".getBoundingClientRect().top"); got < top-2 || got > top+2 {
		t.Errorf("the finding was at %v and is at %v", top, got)
	}
	if got := eval[string](p, `document.activeElement.textContent`); got != "Pause" {
		t.Errorf("the focus is on %q, want the next button", got)
	}
	p.wait(`document.querySelector("[data-show]").hidden`)

	// What is over stays, and says so.
	s.check(tx.Rollback())
	p.wait(rowOf("checkout") + `.querySelector(".badge").innerText === "over"`)
	p.shot("live-over")
}

// Whoever reads a finding goes on reading, also when it is no more among those
// that the page has room to unfold.
func TestLiveKeepsWhatIsRead(t *testing.T) {
	t.Parallel()
	s := newService(t, "orders", nil)
	s.reserve()
	s.known(tracker.KindConn, 1)
	p := newTab(t, light)
	p.live(s.url)
	p.click("summary.row")
	for i := range 12 { // as many findings, and each is of more handles
		db := s.open(fmt.Sprint("shard ", i), 2)
		s.report(db)
		s.report(db)
	}
	p.wait(`document.querySelector("[data-show]").innerText.startsWith("12 new")`)
	p.click("[data-show]")
	p.wait(`document.querySelectorAll("[id^=f-]").length === 13`)
	if n := p.count("details.finding"); n != 11 {
		t.Errorf("%d findings can be unfolded, want the first ten and the one that is", n)
	}
	if got := eval[bool](p, rowOf("reserve")+".open"); !got {
		t.Error("the finding that was open is closed")
	}
	s.reserve()
	p.wait(rowOf("reserve") + `.querySelector(".count b").textContent === "2"`)
}

// The filter of the page is that of its events.
func TestLiveFilter(t *testing.T) {
	t.Parallel()
	s := newService(t, "orders", nil)
	p := newTab(t, light)
	p.live(s.url + "?kind=rows")
	if got := p.text("[data-none]"); !strings.HasPrefix(got, "Nothing that passes") {
		t.Errorf("of no findings it says %q", got)
	}
	s.checkout(context.Background())
	s.known(tracker.KindTx, 1)
	s.findOrder()
	p.wait(`document.querySelector("[data-show]").innerText === "1 new, show"`)
	p.wait(`document.querySelector(".counts [data-live=overdue]").textContent === "0"`)
	p.wait(`document.querySelector("[data-none]").hidden`)
	p.click("[data-show]")
	p.wait(rowOf("findOrder"))
	if eval[bool](p, "Boolean("+rowOf("checkout")+")") {
		t.Error("the filter is lost")
	}
}

// The script says durations as the server does.
func TestWords(t *testing.T) {
	t.Parallel()
	s := newService(t, "orders", nil)
	p := newTab(t, light)
	p.live(s.url)
	var durations []time.Duration
	for d := time.Millisecond; d < 1000*24*time.Hour; d = d*21/20 + time.Millisecond {
		durations = append(durations, d, d.Truncate(time.Second), d.Truncate(time.Hour))
	}
	var seconds []float64
	for _, d := range durations {
		seconds = append(seconds, d.Seconds())
	}
	list, err := json.Marshal(seconds)
	s.check(err)
	got := eval[[]string](p, fmt.Sprintf(`import("./live.js").then(({ words }) => %s.map(words))`, list))
	for i, d := range durations {
		if want := words.Duration(d); got[i] != want {
			t.Errorf("%v is %q, and the script says %q", d, want, got[i])
		}
	}
}

// What says that there is nothing goes when there is something.
func TestLiveFromNothing(t *testing.T) {
	t.Parallel()
	s := newService(t, "", nil)
	p := newTab(t, light)
	p.live(s.url)
	if got := p.text("main"); !strings.Contains(got, "No pool is watched") {
		t.Errorf("it says %q", got)
	}
	p.shot("nothing")
	s.orders = s.open("orders", 10)
	p.wait(`document.querySelector("[data-show]").innerText === "1 new, show"`)
	p.wait(`![...document.querySelectorAll("[data-none]")].some((e) => e.checkVisibility())`)
	p.click("[data-show]")
	p.wait(`document.querySelector(".pools .name")?.textContent === "orders"`)
	s.open("archive", 10) // is no reason to look up
	s.findOrder()
	p.wait(`document.querySelector("[data-show]").innerText === "1 new, show"`)
}
