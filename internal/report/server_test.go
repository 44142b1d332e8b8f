package report_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func TestDoctorWithServerView(t *testing.T) {
	d := build(reporttest.Snapshot()).WithDiagnosis(reporttest.Diagnosis()).WithServerView(reporttest.ServerView())
	reporttest.Golden(t, "doctor_server.txt", []byte(doctor(t, d)))
	again, err := report.Decode(encode(t, d))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := doctor(t, again), doctor(t, d); got != want {
		t.Errorf("read back, the document says\n%s", got)
	}
}

func TestServerViewJoinsHolders(t *testing.T) {
	alone := build(reporttest.Snapshot()).WithDiagnosis(reporttest.Diagnosis())
	d := alone.WithServerView(reporttest.ServerView())
	for i, want := range [][]uint64{{3026, 3027}, {72}} {
		if got := d.Diagnosis.Pools[i].Holders[0].Sessions; !slices.Equal(got, want) {
			t.Errorf("pool %d: the sessions are %v, want %v", i, got, want)
		}
	}
	if h := alone.Diagnosis.Pools[0].Holders[0]; h.Sessions != nil || alone.Diagnosis.ServerView != nil {
		t.Errorf("the document without a view has changed: %+v", h)
	}
}

// Who may not see statements sees those of the servers neither.
func TestServerViewHidesQueries(t *testing.T) {
	for _, queries := range []bool{true, false} {
		d := report.Build(reporttest.Snapshot(), report.Filter{}, reporttest.Process, queries)
		d = d.WithDiagnosis(reporttest.Diagnosis()).WithServerView(reporttest.ServerView())
		if shown := strings.Contains(string(encode(t, d)), "UPDATE stock"); shown != queries {
			t.Errorf("statements are shown: %v, want %v", shown, queries)
		}
	}
}

func TestDoctorWithServerViewIsHarmless(t *testing.T) {
	d := build(reporttest.Hostile()).WithDiagnosis(reporttest.HostileDiagnosis()).WithServerView(reporttest.HostileServerView())
	checkText(t, doctor(t, d))
	for _, s := range reporttest.HostileServerView().Servers {
		checkText(t, s.String())
		for _, x := range s.Sessions {
			checkText(t, x.String())
		}
	}
}

func TestServerVerdict(t *testing.T) {
	quiet := reporttest.ServerView()
	quiet.Servers = quiet.Servers[:1]
	for i := range quiet.Servers[0].Sessions {
		s := &quiet.Servers[0].Sessions[i]
		s.Blocks, s.BlockedBy, s.Roots = nil, nil, nil
	}
	for _, tt := range []struct {
		name string
		view report.ServerView
		want []string // what the sentences begin with
	}{
		{"nobody waits", quiet, []string{"Nothing is the matter"}},
		{"not enabled", report.ServerView{Error: "no open pool was opened with serverview.Enable"},
			[]string{"Nothing is the matter", "What the database's server sees isn't known: no open pool"}},
		{"trouble", reporttest.ServerView(), []string{
			"In the server, 2 sessions wait for connection 3026, held by the tx opened at web.(*Server).checkout checkout.go:118 1m 30s ago; it is idle in transaction for 1m 11s",
			"In the server, 1 session waits for connection 71, which no pool of this program has (user batch psql); it is active for 5m. To end it: SELECT pg_terminate_backend(71)",
			"The server still has 1 connection of this process that no open DB has",
			"What the server of pool audit, log sees isn't known: connect: ",
		}},
	} {
		d := build(reporttest.Quiet()).WithDiagnosis(tracker.Diagnosis{Goroutines: 3}).WithServerView(tt.view)
		if got := d.Verdict(); !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
			t.Errorf("%s: %q, want what begins with %q", tt.name, got, tt.want)
		}
	}
}

// Sessions of which there is nothing to say share a line.
func TestDoctorSharesLines(t *testing.T) {
	v := reporttest.ServerView()
	s := &v.Servers[0].Sessions[1]
	s.State, s.BlockedBy, s.Roots, s.Blocks, s.InStateSeconds = "idle", nil, nil, nil, 5
	again := *s
	again.ID, again.InStateSeconds = 3030, 7
	v.Servers[0].Sessions = append(v.Servers[0].Sessions, again)
	said := doctor(t, build(reporttest.Snapshot()).WithDiagnosis(reporttest.Diagnosis()).WithServerView(v))
	if want := "3027, 3030: idle, the longest for 7s\n"; !strings.Contains(said, want) {
		t.Errorf("no %q in\n%s", want, said)
	}
}
