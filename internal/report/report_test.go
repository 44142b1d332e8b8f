package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func build(s tracker.Snapshot) report.Document {
	return report.Build(s, report.Filter{}, reporttest.Process, true)
}

func encode(t *testing.T, d report.Document) []byte {
	t.Helper()
	data, err := d.EncodeJSON()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGolden(t *testing.T) {
	tests := []struct {
		name string
		doc  report.Document
	}{
		{"full", build(reporttest.Snapshot())},
		{"quiet", build(reporttest.Quiet())},
		{"empty", report.Build(tracker.Snapshot{}, report.Filter{}, report.Process{}, false)},
		{"filtered", report.Build(reporttest.Snapshot(), report.Filter{Pool: "orders", Kind: "rows"}, reporttest.Process, false)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var text bytes.Buffer
			if err := report.WriteText(&text, tt.doc); err != nil {
				t.Fatal(err)
			}
			reporttest.Golden(t, tt.name+".txt", text.Bytes())
			reporttest.Golden(t, tt.name+".json", encode(t, tt.doc))
		})
	}
}

func TestRoundTrip(t *testing.T) {
	for name, s := range map[string]tracker.Snapshot{
		"full": reporttest.Snapshot(), "quiet": reporttest.Quiet(), "empty": {},
	} {
		want := encode(t, build(s))
		d, err := report.Decode(want)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := encode(t, d); !bytes.Equal(got, want) {
			t.Errorf("%s: decoded and encoded again:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// The order and the spelling of these are what scripts depend on.
func TestRequiredKeys(t *testing.T) {
	var d struct {
		Findings []map[string]any
	}
	if err := json.Unmarshal(encode(t, build(reporttest.Snapshot())), &d); err != nil {
		t.Fatal(err)
	}
	for _, f := range d.Findings {
		for _, k := range []string{"kind", "state", "proof", "pool", "site", "count", "age_seconds", "stack"} {
			if _, ok := f[k]; !ok {
				t.Errorf("finding %v has no %q", f["id"], k)
			}
		}
	}
}

func TestQueriesAreHidden(t *testing.T) {
	d := report.Build(reporttest.Snapshot(), report.Filter{}, reporttest.Process, false)
	if data := encode(t, d); bytes.Contains(data, []byte("SELECT")) {
		t.Errorf("SQL text in\n%s", data)
	}
	if !d.QueriesHidden {
		t.Error("the document doesn't tell that queries are hidden")
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		name, data, want string
		foreign          bool
	}{
		{"nothing", "", "unexpected end", true},
		{"HTML", "<!doctype html><p>hello", "invalid character '<'", true},
		{"other JSON", `{"status":"UP"}`, "without a schema", true},
		{"list", `[]`, "cannot unmarshal array", true},
		{"null", `null`, "without a schema", true},
		{"other schema", `{"schema":"openapi/3"}`, `"openapi/3"`, true},
		{"newer", `{"schema":"dbleaks/v2"}`, `schema "dbleaks/v2", this version understands "dbleaks/v1"`, false},
		{"damaged", `{"schema":"dbleaks/v1","pools":7}`, "damaged", false},
		{"cut short", `{"schema":"dbleaks/v1","pools":[`, "unexpected end", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := report.Decode([]byte(tt.data))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if got := errors.Is(err, report.ErrNotDocument); got != tt.foreign {
				t.Errorf("errors.Is(%v, ErrNotDocument) = %v", err, got)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	data, _ := json.Marshal(build(reporttest.Hostile()))
	f.Add(data)
	f.Add([]byte(`{"schema":"dbleaks/v1","findings":[{"age_seconds":1e300,"count":-1}],"pools":[{"open":{"x":1}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := report.Decode(data)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := report.WriteText(&b, d); err != nil {
			t.Fatal(err)
		}
		checkText(t, b.String())
		if data, err = json.Marshal(d); err != nil {
			t.Fatal(err)
		}
		again, err := report.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if data2, _ := json.Marshal(again); !bytes.Equal(data, data2) {
			t.Errorf("%s became %s", data, data2)
		}
	})
}

func TestSafeJSON(t *testing.T) {
	data := encode(t, build(reporttest.Hostile()))
	if _, err := report.Decode(data); err != nil {
		t.Fatal(err)
	}
	checkText(t, string(data))
	for _, text := range []string{"plain größe 数", "\u009b31m\u202e\x7f\u200b\U000e0041\ufffd", "a\tb\n\\ \""} {
		raw, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		safe := report.SafeJSON(raw)
		checkText(t, string(safe))
		var got string
		if err := json.Unmarshal(safe, &got); err != nil || got != text {
			t.Errorf("%q became %q, error %v", text, got, err)
		}
	}
}

func TestPoolGroups(t *testing.T) {
	s := reporttest.Snapshot()
	orders, archive := s.Pools[0], s.Pools[1]
	other := orders
	other.Source = "elsewhere"
	s.Pools = []tracker.Pool{archive, orders, orders, other, archive, orders}
	d := build(s)
	groups := d.PoolGroups()
	if len(groups) != 3 || groups[0].Count != 2 || groups[1].Count != 3 || groups[2].Count != 1 {
		t.Fatalf("got %+v", groups)
	}
	g := groups[1]
	want := report.Stats{MaxOpen: 30, Waits: 3702, WaitSeconds: 225}
	if g.InUse != 30 || g.Idle != 0 || g.Overdue != 6 || g.Leaked != 9 || g.Open["rows"] != 18 || *g.Stats != want {
		t.Errorf("the sums are %+v, %+v", g, g.Stats)
	}
	if d.Pools[1].Open["rows"] != 6 || d.Pools[1].Stats.MaxOpen != 10 {
		t.Error("the document was changed")
	}
}

// Library frames are those in front of the site and the standard library.
func TestLibraryFrames(t *testing.T) {
	d := build(reporttest.Snapshot())
	var got []string
	for _, f := range d.Findings[0].Stack {
		mark := "app"
		if f.Library {
			mark = "lib"
		}
		got = append(got, mark+" "+f.ShortFunction())
	}
	want := []string{
		"lib sql.(*DB).QueryContext", "lib gorm.(*DB).Rows", "app store.(*Orders).Find",
		"app web.(*Server).checkout", "lib http.HandlerFunc.ServeHTTP", "lib http.(*conn).serve",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
