package httpdebug

import (
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/openmetrics"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func TestMetricsGolden(t *testing.T) {
	for name, s := range map[string]tracker.Snapshot{
		"full": reporttest.Snapshot(), "hostile": reporttest.Hostile(), "empty": {},
	} {
		w := serve(testHandler(s), get("metrics"))
		wantStatus(t, w, 200)
		reporttest.Golden(t, name+".metrics", w.Body.Bytes())
	}
	w := serve(testHandler(reporttest.Snapshot()), get("metrics", "Accept", "application/openmetrics-text"))
	reporttest.Golden(t, "full.openmetrics", w.Body.Bytes())
}

func TestMetricsFormats(t *testing.T) {
	h := testHandler(reporttest.Snapshot())
	for accept, want := range map[string]openmetrics.Format{
		"": openmetrics.Text, "text/html,*/*;q=0.8": openmetrics.Text,
		"application/openmetrics-text;version=1.0.0,text/plain;q=0.5": openmetrics.OpenMetrics,
	} {
		w := serve(h, get("metrics", "Accept", accept))
		if got := w.Header().Get("Content-Type"); got != want.ContentType() {
			t.Errorf("%q: %s, want %s", accept, got, want.ContentType())
		}
		if got := w.Header().Get("Vary"); got != "Accept" {
			t.Errorf("Vary: %q", got)
		}
		if eof := strings.HasSuffix(w.Body.String(), "\n# EOF\n"); eof != (want == openmetrics.OpenMetrics) {
			t.Errorf("%q: ends in EOF: %v", accept, eof)
		}
	}
}

func TestMetricsTakeNoFilter(t *testing.T) {
	w := serve(testHandler(reporttest.Snapshot()), get("metrics?pool=orders"))
	wantStatus(t, w, 400)
	if !strings.Contains(w.Body.String(), "metrics take no filter") {
		t.Error(w.Body)
	}
}

// Neither SQL text nor a data source is in the metrics, whoever asks.
func TestMetricsTellNoSecrets(t *testing.T) {
	body := serve(testHandler(reporttest.Snapshot(), Allow(everything)), get("metrics")).Body.String()
	for _, secret := range []string{"SELECT", "tcp(db1", "archive.db", "acme", "GET /orders"} {
		if strings.Contains(body, secret) {
			t.Errorf("%s is in the metrics", secret)
		}
	}
}
