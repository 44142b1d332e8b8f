package report_test

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func TestParseFilter(t *testing.T) {
	tests := []struct {
		query string
		want  report.Filter
		err   string
	}{
		{query: ""},
		{query: "pool=&kind=&state=&min_age=&func="},
		{query: "seconds=5&other=x"},
		{
			query: "pool=orders&kind=tx&state=leaked&min_age=1m30s&func=Find",
			want:  report.Filter{Pool: "orders", Kind: "tx", State: "leaked", MinAge: 90 * time.Second, Function: "Find"},
		},
		{query: "kind=rows&kind=", want: report.Filter{Kind: "rows"}},
		{query: "kind=query", err: `parameter kind: "query" is none of db, conn,`},
		{query: "state=lost", err: `parameter state: "lost" is none of open,`},
		{query: "min_age=90", err: `parameter min_age: "90" is no duration; write 90s`},
		{query: "min_age=-5s", err: `parameter min_age: "-5s" is negative`},
		{query: "id=4bf92f3577b34da6", want: report.Filter{ID: "4bf92f3577b34da6"}},
		{query: "id=%22%3Cb", err: `parameter id: "\"<b" is no ID of a finding`},
		{query: "id=0123456789012345678901234567890123", err: "parameter id:"},
		{query: "pool=a&pool=b", err: "parameter pool: given 2 times"},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			q, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			f, err := report.ParseFilter(q)
			if f != tt.want {
				t.Errorf("got %+v, want %+v", f, tt.want)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add("pool=orders&kind=tx&state=leaked&min_age=1m30s&func=Find")
	f.Add("min_age=2562047h47m16.854775807s")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		filter, err := report.ParseFilter(q)
		if err != nil {
			return
		}
		again, err := report.ParseFilter(filter.Values())
		if err != nil || again != filter {
			t.Errorf("%+v became %+v, error %v", filter, again, err)
		}
	})
}

func TestKindsAndStates(t *testing.T) {
	for i, name := range report.Kinds {
		if got := tracker.Kind(i).String(); got != name {
			t.Errorf("kind %d is %q, not %q", i, got, name)
		}
	}
	for i, name := range report.States {
		if got := tracker.State(i).String(); got != name {
			t.Errorf("state %d is %q, not %q", i, got, name)
		}
	}
}

// What a reader sees of a name can be asked for.
func TestFilterByShownName(t *testing.T) {
	s := reporttest.Hostile()
	for _, name := range []string{s.Pools[1].Name, report.Clean(s.Pools[1].Name)} {
		if got := (report.Filter{Pool: name}).Apply(s); len(got.Pools) != 1 || len(got.Open) != 1 || len(got.Refusals) != 1 {
			t.Errorf("pool=%q: %d pools, %d handles, %d refusals; want one of each", name, len(got.Pools), len(got.Open), len(got.Refusals))
		}
	}
}

// With an ID goes what is of the finding's pool, and nothing of others.
func TestFilterByIDNarrowsPools(t *testing.T) {
	s := reporttest.Snapshot()
	for id, want := range map[string]string{"f1": "orders", "o2": "archive", "e1": "orders"} {
		got := report.Filter{ID: id}.Apply(s)
		if len(got.Pools) != 1 || got.Pools[0].Name != want || len(got.Refusals) != 1 || got.Refusals[0].Pool != want {
			t.Errorf("id=%s: pools %v, refusals %v; want those of %s", id, got.Pools, got.Refusals, want)
		}
	}
	if got := (report.Filter{ID: "none"}).Apply(s); len(got.Pools)+len(got.Refusals) != 0 {
		t.Errorf("an unknown ID left %d pools, %d refusals", len(got.Pools), len(got.Refusals))
	}
}

func TestFilterApply(t *testing.T) {
	tests := []struct {
		filter report.Filter
		want   []string // the ids that are left
	}{
		{report.Filter{}, []string{"f1", "f2", "o0", "o1", "o2", "o3", "e1", "e2"}},
		{report.Filter{Pool: "archive"}, []string{"o2"}},
		{report.Filter{Pool: "order"}, nil},
		{report.Filter{Kind: "rows"}, []string{"f1", "o2", "o3", "e2"}},
		{report.Filter{Kind: "row"}, []string{"o3"}},
		{report.Filter{State: "leaked"}, []string{"f1", "e2"}},
		{report.Filter{State: "recovered"}, []string{"e1"}},
		{report.Filter{MinAge: 125 * time.Second}, []string{"f1", "o0", "o1", "o2", "e2"}},
		{report.Filter{Function: "CHECKOUT"}, []string{"f1", "f2", "e1"}},
		{report.Filter{ID: "f2"}, []string{"f2"}},
		{report.Filter{ID: "e1"}, []string{"e1"}},
		{report.Filter{ID: "f2", Kind: "rows"}, nil},
		{report.Filter{Kind: "tx", Function: "checkout", State: "overdue"}, []string{"f2"}},
	}
	for _, tt := range tests {
		before := reporttest.Snapshot()
		s := tt.filter.Apply(before)
		var got []string
		for _, f := range slices.Concat(s.Findings, s.Open) {
			got = append(got, f.ID)
		}
		for _, e := range s.Ended {
			got = append(got, e.Finding.ID)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v left %q, want %q", tt.filter, got, tt.want)
		}
		if !reflect.DeepEqual(before, reporttest.Snapshot()) {
			t.Errorf("%+v changed the snapshot it was given", tt.filter)
		}
	}
}
