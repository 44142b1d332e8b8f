package report_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/dbleaks-go/dbleaks/internal/report"
	"github.com/dbleaks-go/dbleaks/internal/report/reporttest"
	"github.com/dbleaks-go/dbleaks/tracker"
)

func doctor(t *testing.T, d report.Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteDoctor(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWriteDoctor(t *testing.T) {
	d := build(reporttest.Snapshot()).WithDiagnosis(reporttest.Diagnosis())
	reporttest.Golden(t, "doctor.txt", []byte(doctor(t, d)))
	data, err := d.EncodeJSON()
	if err != nil {
		t.Fatal(err)
	}
	reporttest.Golden(t, "doctor.json", data)
	again, err := report.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := doctor(t, again), doctor(t, d); got != want {
		t.Errorf("read back, the document says\n%s", got)
	}
}

func TestDoctorIsHarmless(t *testing.T) {
	d := build(reporttest.Hostile()).WithDiagnosis(reporttest.HostileDiagnosis())
	checkText(t, doctor(t, d))
}

func TestVerdict(t *testing.T) {
	missing := reporttest.Diagnosis()
	missing.Deadlocks, missing.Missing, missing.Goroutines = nil, 7, 100_000
	for _, tt := range []struct {
		name string
		d    report.Document
		want []string // what the sentences begin with
	}{
		{"quiet", build(reporttest.Quiet()).WithDiagnosis(tracker.Diagnosis{Goroutines: 3}), []string{"Nothing is the matter"}},
		{"no pools", build(tracker.Snapshot{}).WithDiagnosis(tracker.Diagnosis{Goroutines: 3}), []string{"No pool is watched here"}},
		{"trouble", build(reporttest.Snapshot()).WithDiagnosis(reporttest.Diagnosis()),
			[]string{"Deadlock: 2 goroutines hold", "33 goroutines wait for a connection of pool orders, all 2", "The server of pool orders refuses connections: 12 times", "Leaked (unreachable)", "Overdue"}},
		{"an exhausted pool of which no goroutine is known", build(reporttest.Snapshot()).WithDiagnosis(tracker.Diagnosis{Goroutines: 3}),
			[]string{"Pool orders is exhausted: 10 of 10 connections in use", "The server of pool orders refuses", "Leaked (unreachable)", "Overdue"}},
		{"goroutines that are not known", build(reporttest.Quiet()).WithDiagnosis(missing),
			[]string{"33 goroutines wait", "Of 7 of 100000 goroutines it isn't known"}},
	} {
		got := tt.d.Verdict()
		if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
			t.Errorf("%s: %q, want what begins with %q", tt.name, got, tt.want)
		}
	}
}
