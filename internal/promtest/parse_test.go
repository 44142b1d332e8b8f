package promtest

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/dbleaks-go/dbleaks/internal/openmetrics"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
)

// FuzzLabels: what is in a label and a help text comes back from the parser
// that most programs use, whatever it is.
func FuzzLabels(f *testing.F) {
	for _, s := range []string{"", "plain", `"`, `\`, "\n", `\n`, `\\"`, "ü\xff", "\x00\r", "a{b=\"c\"} 1\n# EOF", reporttest.Evil} {
		f.Add(s, s, 1.0)
	}
	f.Fuzz(func(t *testing.T, value, help string, number float64) {
		family := openmetrics.Family{
			Name: "shop_orders", Help: help, Labels: []string{"a", "b"},
			Samples: []openmetrics.Sample{{Values: []string{value, "b"}, Number: number}, {Values: []string{value + "x", ""}}},
		}
		var b bytes.Buffer
		openmetrics.Write(&b, openmetrics.Text, []openmetrics.Family{family})
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatalf("%v in\n%s", err, &b)
		}
		got := families["shop_orders"]
		if len(families) != 1 || len(got.GetMetric()) != 2 {
			t.Fatalf("%v of\n%s", families, &b)
		}
		want := strings.ToValidUTF8(value, "\uFFFD")
		m := got.GetMetric()[0]
		if v := m.GetLabel()[0].GetValue(); v != want {
			t.Errorf("%q came back as %q", want, v)
		}
		if n := m.GetGauge().GetValue(); n != number && number == number {
			t.Errorf("%v came back as %v", number, n)
		}
	})
}

// What the handler says can be parsed, with names that want to prevent it.
func TestParserReadsTheMetrics(t *testing.T) {
	for _, name := range []string{"full", "hostile"} {
		golden, err := os.Open("../../httpdebug/testdata/" + name + ".metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer golden.Close()
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, err := parser.TextToMetricFamilies(golden)
		if err != nil {
			t.Fatal(err)
		}
		open := families["dbleaks_open_handles"].GetMetric()
		if len(open) != 5 || len(open[0].GetLabel()) != 4 || open[0].GetGauge().GetValue() != 4 {
			t.Errorf("%s: %v", name, open)
		}
	}
}
