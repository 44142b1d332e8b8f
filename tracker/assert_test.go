package tracker_test

import (
	"database/sql"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

var update = flag.Bool("update", false, "write the golden files")

func setFinalizer[T any](o *T, f func(*T)) { runtime.SetFinalizer(o, f) }

// again opens one more DB with the tracker of w.
func again(w *watched) *watched {
	db := driverwrap.OpenDB(&nopdriver.Connector{}, driverwrap.WithTracker(w.tracker), driverwrap.WithName("tenant"))
	return &watched{DB: db, tracker: w.tracker, events: w.events}
}

func TestAssertNoLeaks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		leave func(t *testing.T, w *watched)
		opts  func(w *watched) []tracker.AssertOption
		want  string // in the message; none if empty
	}{
		{name: "idle connections and an open DB", leave: func(t *testing.T, w *watched) { w.Ping() }},
		{name: "an open DB if asked", leave: func(t *testing.T, w *watched) {},
			opts: func(*watched) []tracker.AssertOption { return []tracker.AssertOption{tracker.IncludeDBs()} },
			want: "db LEAKED (still open at assert)"},
		{name: "asked, then not", leave: func(t *testing.T, w *watched) {},
			opts: func(*watched) []tracker.AssertOption {
				return []tracker.AssertOption{tracker.IncludeDBs(), tracker.IgnoreDBs()}
			}},
		{name: "a transaction", leave: func(t *testing.T, w *watched) { keep(t, must[*sql.Tx](t)(w.Begin())) },
			want: "tx LEAKED (still open at assert)"},
		{name: "a connection", leave: func(t *testing.T, w *watched) { must[*sql.Conn](t)(w.Conn(ctx)) },
			want: "add `defer conn.Close()`"},
		{name: "a statement", leave: func(t *testing.T, w *watched) { must[*sql.Stmt](t)(w.Prepare("select 1")) },
			want: "stmt LEAKED (still open at assert)"},
		{name: "rows that nobody can close", leave: func(t *testing.T, w *watched) { leakRows(t, w.DB) },
			want: "rows LEAKED (unreachable)"},
		{name: "an ignored site", leave: func(t *testing.T, w *watched) { leakRows(t, w.DB) },
			opts: func(*watched) []tracker.AssertOption {
				return []tracker.AssertOption{tracker.IgnoreSite(`\.leakRows .*/proof_test\.go:\d+$`)}
			}},
		{name: "another site", leave: func(t *testing.T, w *watched) { leakRow(w.DB) },
			opts: func(*watched) []tracker.AssertOption {
				return []tracker.AssertOption{tracker.IgnoreSite(`leakRows`)}
			}, want: "call Scan on the result of QueryRow"},
		{name: "what was there before", leave: func(t *testing.T, w *watched) {},
			opts: func(w *watched) []tracker.AssertOption {
				leakRow(w.DB)
				return []tracker.AssertOption{w.tracker.IgnoreCurrent(), tracker.IncludeDBs()}
			}},
		{name: "a wrong pattern", leave: func(t *testing.T, w *watched) {},
			opts: func(*watched) []tracker.AssertOption {
				return []tracker.AssertOption{tracker.IgnoreSite(`(`), nil, tracker.Grace(-1)}
			}, want: "IgnoreSite(\"(\")"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watch(t)
			defer w.Close()
			opts := []tracker.AssertOption{tracker.Grace(20 * time.Millisecond)}
			if tt.opts != nil {
				opts = append(opts, tt.opts(w)...)
			}
			tt.leave(t, w)
			var tb fakeTB
			w.tracker.AssertNoLeaks(&tb, opts...)
			if got := tb.String(); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("said %q, want %q in it", got, tt.want)
			}
		})
	}
}

func TestAssertWaitsForHandlesOnTheirWay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := watch(t)
		tx := must[*sql.Tx](t)(w.Begin())
		go func() {
			time.Sleep(400 * time.Millisecond)
			tx.Rollback()
		}()
		w.tracker.AssertNoLeaks(t)
		w.done(t)
	})
}

func TestAssertSeesEachWrongOption(t *testing.T) {
	var tb fakeTB
	watch(t).tracker.AssertNoLeaks(&tb, tracker.IgnoreSite(`(`), nil, tracker.Grace(-1))
	for _, part := range []string{"IgnoreSite", "option 2 is nil", "Grace(-1ns)"} {
		if !strings.Contains(tb.String(), part) {
			t.Errorf("%q is missing in %q", part, tb.String())
		}
	}
}

// TestReportText shows what a person reads.
func TestReportText(t *testing.T) {
	w := watch(t)
	conn := must[*sql.Conn](t)(w.Conn(ctx))
	keep(t, must[*sql.Tx](t)(conn.BeginTx(ctx, nil)))
	leakRows(t, w.DB)
	var tb fakeTB
	w.tracker.AssertNoLeaks(&tb, tracker.Grace(0), tracker.IncludeDBs())
	got := tb.String()
	for pattern, with := range map[string]string{
		`(/[^ \n]*)?/([^/ \n]+\.go):\d+`: "$2:LINE",
		`after line \d+`:                 "after line LINE",
		`follows line \d+`:               "follows line LINE",
		`of line \d+`:                    "of line LINE",
		`for [<0-9.]+m?s`:                "for AGE",
	} {
		got = regexp.MustCompile(pattern).ReplaceAllString(got, with)
	}
	golden(t, "report.txt", got)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run the test with -update and look at the change. Got:\n%s", path, got)
	}
}

func TestExitReport(t *testing.T) {
	w := watch(t)
	tx := must[*sql.Tx](t)(w.Begin())
	must[*sql.Stmt](t)(w.Prepare("select 1"))
	other := again(w)
	rows := must[*sql.Rows](t)(other.Query("rows 2"))
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	r := w.tracker.Close()
	text := r.String()
	for _, part := range []string{
		"3 handles were not given back, opened at 3 places",
		"tx LEAKED (still open at exit)",
		"db LEAKED (still open at exit)", "the DB was never closed", "1 stmt",
		"rows LEAKED (still open at exit)", "its DB was closed while it was in use; that closes idle connections only",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in:\n%s", part, text)
		}
	}
	// The application goes on, unrecorded.
	if err := errors.Join(rows.Close(), tx.Rollback(), w.Ping()); err != nil {
		t.Error(err)
	}
	leakRow(w.DB)
	if r := w.tracker.Close(); len(r.Findings) != 1 || r.Findings[0].Kind != tracker.KindDB {
		t.Errorf("recorded after Close:\n%s", r)
	}
}

// TestVerifyTestMain runs itself as a program whose tests leak, or don't.
func TestVerifyTestMain(t *testing.T) {
	if mode := os.Getenv("VERIFY_TEST_MAIN"); mode != "" {
		verifyTestMain(t, mode)
	}
	for _, tt := range []struct {
		mode, want string
		code       int
	}{
		{"clean", "", 0},
		{"db", "db LEAKED (still open at exit)", 1},
		{"ignored db", "", 0},
		{"row", "row LEAKED (unreachable)", 1},
		{"failed", "", 3},
		{"wrong option", "Grace(-1ns)", 2},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestVerifyTestMain$")
			cmd.Env = append(os.Environ(), "VERIFY_TEST_MAIN="+tt.mode)
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if got := string(out); tt.want == "" && strings.Contains(got, "LEAKED") || !strings.Contains(got, tt.want) {
				t.Errorf("printed %q, want %q in it", got, tt.want)
			}
		})
	}
}

type run func() int

func (r run) Run() int { return r() }

func verifyTestMain(t *testing.T, mode string) {
	var opts []tracker.AssertOption
	code := 0
	db := driverwrap.OpenDB(&nopdriver.Connector{})
	keep(t, db)
	switch mode {
	case "ignored db":
		opts = append(opts, tracker.IgnoreDBs())
	case "wrong option":
		opts = append(opts, tracker.Grace(-1))
	case "failed":
		code = 3
	}
	tracker.VerifyTestMain(run(func() int {
		if mode == "row" {
			leakRow(db)
		}
		if !strings.Contains(mode, "db") {
			db.Close()
		}
		return code
	}), opts...)
}
