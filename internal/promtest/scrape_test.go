package promtest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/httpdebug"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/internal/openmetrics"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// shop is a program that leaks, and tells so.
type shop struct {
	db      *sql.DB
	tracker *tracker.Tracker
	url     string       // of its metrics
	said    atomic.Value // the type of what it last answered, a string
}

func openShop(t *testing.T, name string) *shop {
	t.Helper()
	tr, err := tracker.New(tracker.WithKindThreshold(tracker.KindConn, 100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	httpdebug.Register(mux, httpdebug.WithTracker(tr))
	s := &shop{
		db:      driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr), driverwrap.WithName(name)),
		tracker: tr,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r)
		s.said.Store(w.Header().Get("Content-Type"))
	}))
	t.Cleanup(srv.Close)
	s.url = srv.URL + "/debug/dbleaks/metrics"
	s.db.SetMaxOpenConns(7)
	t.Cleanup(func() { s.db.Close() })
	return s
}

// lose drops rows, and returns the line.
func (s *shop) lose(t *testing.T) (site string) {
	t.Helper()
	_, _, line, _ := runtime.Caller(0)
	rows, err := s.db.Query("rows 9")
	if err != nil {
		t.Fatal(err)
	}
	rows.Next()
	return fmt.Sprint("scrape_test.go:", line+1)
}

// hold keeps a connection for longer than its threshold.
func (s *shop) hold(t *testing.T) *sql.Conn {
	t.Helper()
	c, err := s.db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *shop) scrape(t *testing.T, accept string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %s: %s", err, resp.Status, body)
	}
	return string(body)
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// alerts are the rules that the README recommends.
func alerts(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(readme), -1)
	if len(blocks) != 1 {
		t.Fatalf("%d snippets of YAML in the README, want the rules", len(blocks))
	}
	return blocks[0][1]
}

// A leak is planted, and Prometheus, asked by what the README says, names its
// line.
func TestPrometheusFindsThePlantedLeak(t *testing.T) {
	for _, name := range []string{"shop", "hostile" + reporttest.Evil} {
		t.Run(name[:4], func(t *testing.T) {
			t.Parallel()
			s := openShop(t, name)
			db := label(name)
			site := s.lose(t)
			// Nobody is to wait for minutes here.
			rules := regexp.MustCompile(`for: \w+`).ReplaceAllString(alerts(t), "for: 0s")
			p := startPrometheus(t, s.url, rules)
			p.query(`up{job="shop"}`, func(r []sample) bool { return len(r) == 1 && r[0].number() == "1" })

			if got, want := s.said.Load(), openmetrics.OpenMetrics.ContentType(); got != want {
				t.Errorf("Prometheus got %s, want %s", got, want)
			}

			collect(t, s, 1)
			leaks := p.query(`dbleaks_leaked_handles > 0`, some)
			want := map[string]string{"db_name": db, "kind": "rows", "site": site, "func": "github.com/dbleaks-go/dbleaks/internal/promtest.(*shop).lose"}
			for k, v := range want {
				if len(leaks) != 1 || leaks[0].Metric[k] != v {
					t.Errorf("%v, want %v", leaks, want)
				}
			}
			fired := p.query(`ALERTS{alertstate="firing", alertname="DatabaseHandlesLeaked"}`, some)
			if fired[0].Metric["site"] != site {
				t.Errorf("fired: %v", fired)
			}

			conn := s.hold(t)
			late := p.query(`dbleaks_overdue_handles > 0`, some)
			if len(late) != 1 || late[0].Metric["kind"] != "conn" || !strings.HasSuffix(late[0].Metric["func"], "(*shop).hold") {
				t.Errorf("overdue: %v", late)
			}
			p.query(`ALERTS{alertstate="firing", alertname="DatabaseHandlesOverdue"}`, some)
			used := `db_client_connection_count{state="used"} / on (db_name) db_client_connection_max`
			p.query(used, func(r []sample) bool { return len(r) == 1 && strings.HasPrefix(r[0].number(), "0.2857") })
			// It is seen before the next sweep reports it.
			p.query(`dbleaks_reported_total{kind="conn"}`, func(r []sample) bool { return len(r) == 1 && r[0].number() == "1" })
			conn.Close()
			p.query(`sum(dbleaks_overdue_handles)`, func(r []sample) bool { return len(r) == 1 && r[0].number() == "0" })
			p.query(`sum(dbleaks_recovered_total)`, func(r []sample) bool { return len(r) == 1 && r[0].number() == "1" })
			if n := p.query(`sum(dbleaks_leaks_total)`, some); n[0].number() != "1" {
				t.Errorf("leaks: %v", n)
			}
			if log := p.logged(); strings.Contains(log, "level=warn") || strings.Contains(log, "level=error") {
				t.Error(log)
			}
			s.lose(t)
			collect(t, s, 2)
			p.query(`increase(dbleaks_leaks_total{kind="rows"}[1m])`, func(r []sample) bool { return len(r) == 1 && r[0].number() != "0" })

			for range 7 - 2 {
				defer s.hold(t).Close()
			}
			calls, giveUp := context.WithCancel(t.Context())
			var waiting sync.WaitGroup
			waiting.Go(func() { s.db.ExecContext(calls, "update") })
			p.query(`ALERTS{alertstate="firing", alertname="DatabasePoolExhausted"}`, some)
			p.query(`sum(dbleaks_waits_total)`, func(r []sample) bool { return r[0].number() == "1" })
			giveUp()
			waiting.Wait()
		})
	}
}

func some(r []sample) bool { return len(r) > 0 }

// label is what becomes of a hostile name.
func label(name string) string {
	if name == "shop" {
		return name
	}
	return `hostile"'><script>alert(1)</script>{{.}}</style>&amp;\x1b[31m\x1b]0;owned\x07\u202egpj\u200b\xff  \x00%s`
}

// collect collects garbage until so many leaks are proven.
func collect(t *testing.T, s *shop, leaks uint64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); s.tracker.Snapshot().Totals.Leaked < leaks; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the rows are not found to be leaked")
		}
		runtime.GC()
	}
}

func TestPromtool(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "rules.yml", alerts(t))
	promtool(t, nil, "check", "rules", dir+"/rules.yml")

	s := openShop(t, "shop"+reporttest.Evil)
	s.lose(t)
	conn := s.hold(t)
	defer conn.Close()
	collect(t, s, 1)
	promtool(t, strings.NewReader(s.scrape(t, "")), "check", "metrics")
	for _, name := range []string{"full", "hostile", "empty"} {
		golden, err := os.ReadFile("../../httpdebug/testdata/" + name + ".metrics")
		if err != nil {
			t.Fatal(err)
		}
		promtool(t, bytes.NewReader(golden), "check", "metrics")
	}
}
