package profile_test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	pprof "github.com/google/pprof/profile"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/internal/profile"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func encode(t *testing.T, p *pprof.Profile) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	p := profile.New(reporttest.Snapshot())
	reporttest.Golden(t, "full.txt", []byte(p.String()))
}

func TestValidAndStable(t *testing.T) {
	for name, s := range map[string]tracker.Snapshot{
		"full":    reporttest.Snapshot(),
		"quiet":   reporttest.Quiet(),
		"empty":   {},
		"hostile": reporttest.Hostile(),
		"bare":    {Findings: []tracker.Finding{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := profile.New(s)
			if err := p.CheckValid(); err != nil {
				t.Fatal(err)
			}
			for _, f := range p.Function {
				if !utf8.ValidString(f.Name + f.Filename) {
					t.Errorf("%q in %q: not UTF-8", f.Name, f.Filename)
				}
			}
			data := encode(t, p)
			if !bytes.Equal(data, encode(t, profile.New(s))) {
				t.Error("two profiles of one snapshot differ")
			}
			again, err := pprof.Parse(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := again.String(), p.String(); got != want {
				t.Errorf("read back:\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestForm(t *testing.T) {
	p := profile.New(reporttest.Snapshot())
	if p.DurationNanos != 0 || p.DropFrames != "" || len(p.Mapping) != 0 {
		t.Errorf("duration %d, DropFrames %q, %d mappings; want none", p.DurationNanos, p.DropFrames, len(p.Mapping))
	}
	if p.PeriodType == nil || p.PeriodType.Type != "open" || p.PeriodType.Unit != "count" {
		t.Errorf("period type %+v", p.PeriodType)
	}
	for i, l := range p.Location {
		if l.ID != uint64(i+1) || l.Address != 0 {
			t.Errorf("location %d has id %d and address %#x", i, l.ID, l.Address)
		}
	}
	for i, s := range p.Sample {
		if len(s.Label) != 3 || len(s.NumLabel) != 0 {
			t.Errorf("sample %d has labels %v and %v", i, s.Label, s.NumLabel)
		}
	}
}

// The leaking lines are what the tool lists.
func TestGoToolPprof(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dbleaks.pb.gz")
	if err := os.WriteFile(file, encode(t, profile.New(reporttest.Snapshot())), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		want []string
	}{
		{"lines", []string{"-lines"}, []string{
			"Type: open",
			"4 50.00% 50.00%          4 50.00%  example.com/shop/store.(*Orders).Find /src/shop/store/orders.go:42",
			"example.com/shop/web.(*Server).checkout /src/shop/web/checkout.go:118",
		}},
		{"age", []string{"-sample_index=age"}, []string{"Type: age", "shop/jobs.(*Listener).Run"}},
		{"labels", []string{"-tagfocus=state=leaked"}, []string{"store.(*Orders).Find"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := pprofTop(t, append(tt.args, file)...)
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}

func TestStackBeginsAtTheSite(t *testing.T) {
	site := tracker.Frame{Function: "shop.Find", File: "find.go", Line: 3}
	other := tracker.Frame{Function: "database/sql.(*DB).Query", File: "sql.go", Line: 1}
	for _, tt := range []struct {
		name  string
		stack []tracker.Frame
		want  string
	}{
		{"library in front", []tracker.Frame{other, site, other}, "shop.Find"},
		{"site missing", []tracker.Frame{other}, "database/sql.(*DB).Query"},
		{"no stack", nil, "shop.Find"},
	} {
		p := profile.New(tracker.Snapshot{Findings: []tracker.Finding{{Site: site, Stack: tt.stack, Count: 1}}})
		if got := p.Sample[0].Location[0].Line[0].Function.Name; got != tt.want {
			t.Errorf("%s: the stack begins with %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSince(t *testing.T) {
	finding := func(id string, count int) tracker.Finding {
		return tracker.Finding{ID: id, Count: count, Site: tracker.Frame{Function: id}}
	}
	before := tracker.Snapshot{Findings: []tracker.Finding{finding("same", 2), finding("grown", 1), finding("gone", 1)}}
	after := tracker.Snapshot{
		Findings: []tracker.Finding{finding("same", 2), finding("grown", 4), finding("new", 1)},
		Open:     []tracker.Finding{finding("open", 1)},
	}
	p := profile.Since(before, after)
	if err := p.CheckValid(); err != nil {
		t.Error(err)
	}
	got := map[string]int64{}
	for _, s := range p.Sample {
		got[s.Location[0].Line[0].Function.Name] = s.Value[0]
	}
	if want := map[string]int64{"grown": 3, "new": 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Two services, or two moments of one, can be compared.
func TestDifference(t *testing.T) {
	before := reporttest.Snapshot()
	after := reporttest.Snapshot()
	after.Findings[0].Count += 5
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "before.pb.gz"), filepath.Join(dir, "after.pb.gz")}
	for i, s := range []tracker.Snapshot{before, after} {
		if err := os.WriteFile(files[i], encode(t, profile.New(s)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := pprofTop(t, "-diff_base="+files[0], files[1])
	var rows []string
	for line := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] != "0" && strings.Contains(line, "shop/") {
			rows = append(rows, f[0]+" "+f[len(f)-1])
		}
	}
	if want := []string{"5 example.com/shop/store.(*Orders).Find"}; !slices.Equal(rows, want) {
		t.Errorf("%q, want %q, in\n%s", rows, want, out)
	}
}

func pprofTop(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"tool", "pprof", "-top"}, args...)...)
	cmd.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// One line that is reached on two ways makes a finding, and a sample for each.
func TestByCallers(t *testing.T) {
	tr, err := tracker.New()
	if err != nil {
		t.Fatal(err)
	}
	db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(tr))
	defer db.Close()
	query := func(n int) {
		for range n {
			rows, err := db.Query("rows 1")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { rows.Close() })
		}
	}
	first := func() { query(2) }
	second := func() { query(3) }
	first()
	second()
	before := tr.Snapshot()
	if got := counts(profile.New(before)); !slices.Equal(got, []int64{2, 3}) {
		t.Errorf("samples of %v handles, want 2 and 3", got)
	}
	second()
	after := tr.Snapshot()
	before.Findings, after.Findings = before.Open, after.Open
	if got := counts(profile.Since(before, after)); !slices.Equal(got, []int64{3}) {
		t.Errorf("since then, samples of %v handles, want 3", got)
	}
}

// counts are those of the samples of rows, in order.
func counts(p *pprof.Profile) (out []int64) {
	for _, s := range p.Sample {
		if s.Label["kind"][0] == "rows" {
			out = append(out, s.Value[0])
		}
	}
	slices.Sort(out)
	return out
}
