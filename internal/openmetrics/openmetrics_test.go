package openmetrics

import (
	"bytes"
	"testing"
)

func TestWrite(t *testing.T) {
	families := []Family{
		{
			Name: "shop_orders", Type: Counter, Help: `Orders, "all" of C:\them` + "\nso far.", Labels: []string{"who", "where"},
			Samples: []Sample{{[]string{`a "b" \c` + "\nd", "x\xffy"}, 1e21}, {[]string{"", "{}"}, 0.5}},
		},
		{Name: "shop_build", Type: Info, Help: "Build.", Labels: []string{"v"}, Samples: []Sample{{[]string{"1"}, 1}}},
		{Name: "shop_visit_count", Type: Unknown, Help: "Visits.", Samples: []Sample{{nil, -1}}},
		{Name: "shop_empty", Help: "Has none."},
		{Name: "shop_age_seconds", Unit: "seconds", Help: "Age.", Samples: []Sample{{nil, 12.345}}},
	}
	for format, want := range map[Format]string{
		Text: `# HELP shop_orders_total Orders, "all" of C:\\them\nso far.
# TYPE shop_orders_total counter
shop_orders_total{who="a \"b\" \\c\nd",where="x�y"} 1e+21
shop_orders_total{who="",where="{}"} 0.5
# HELP shop_build_info Build.
# TYPE shop_build_info gauge
shop_build_info{v="1"} 1
# HELP shop_visit_count Visits.
# TYPE shop_visit_count untyped
shop_visit_count -1
# HELP shop_age_seconds Age.
# TYPE shop_age_seconds gauge
shop_age_seconds 12.345
`,
		OpenMetrics: `# HELP shop_orders Orders, \"all\" of C:\\them\nso far.
# TYPE shop_orders counter
shop_orders_total{who="a \"b\" \\c\nd",where="x�y"} 1e+21
shop_orders_total{who="",where="{}"} 0.5
# HELP shop_build Build.
# TYPE shop_build info
shop_build_info{v="1"} 1
# HELP shop_visit_count Visits.
# TYPE shop_visit_count unknown
shop_visit_count -1
# HELP shop_age_seconds Age.
# TYPE shop_age_seconds gauge
# UNIT shop_age_seconds seconds
shop_age_seconds 12.345
# EOF
`,
	} {
		var b bytes.Buffer
		Write(&b, format, families)
		if got := b.String(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", format.ContentType(), got, want)
		}
	}
}

func TestNegotiate(t *testing.T) {
	for accept, want := range map[string]Format{
		"":                             Text,
		"*/*":                          Text,
		"text/plain":                   Text,
		"application/openmetrics-text": OpenMetrics,
		"application/openmetrics-text;version=1.0.0":                            OpenMetrics,
		"application/openmetrics-text; version=0.0.1":                           Text,
		"application/openmetrics-text;q=0":                                      Text,
		"application/openmetrics-text;q=0.4,text/plain;q=0.5":                   Text,
		"text/plain;q=0.5, application/openmetrics-text;q=0.5":                  OpenMetrics,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8":       Text,
		";;;,application/openmetrics-text;version=1.0.0;charset=utf-8;q=banana": OpenMetrics,
		// Prometheus 2.42, 3.0, and 3.0 told to prefer the older format.
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1":                                                                                                                        OpenMetrics,
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2":                                          OpenMetrics,
		"text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.1":                                                                                                                                               Text,
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,application/openmetrics-text;version=1.0.0;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,text/plain;q=0.2,*/*;q=0.1": OpenMetrics,
	} {
		if got := Negotiate(accept); got != want {
			t.Errorf("%q: %s", accept, got.ContentType())
		}
	}
}
