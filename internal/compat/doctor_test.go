package compat

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/driverwrap/serverview"
	"github.com/dbleaks-go/dbleaks/httpdebug"
	"github.com/dbleaks-go/dbleaks/tracker"
)

// command is the file of the command dbleaks, once it is built.
var command = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "dbleaks")
	if err != nil {
		return "", err
	}
	atEnd = append(atEnd, func() error { return os.RemoveAll(dir) })
	file := filepath.Join(dir, "dbleaks")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", file, "github.com/dbleaks-go/dbleaks/cmd/dbleaks").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return file, nil
})

// doctor is what the command dbleaks doctor says of the program, which serves
// its debug page for that.
func (a *app) doctor() string {
	a.t.Helper()
	file, err := command()
	a.must(err)
	mux := http.NewServeMux()
	httpdebug.Register(mux, httpdebug.WithTracker(a.tracker), httpdebug.WithServerView(serverview.ForReports()))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	out, err := exec.CommandContext(a.ctx, file, "doctor", "-timeout", "1m", srv.URL).CombinedOutput() // place: asks the doctor
	if err != nil {
		a.t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

var (
	aDuration = regexp.MustCompile(`\b(<1ms|[0-9.]+(ms|s|m|h)( [0-9]+[smh])?)\b`)
	aLine     = regexp.MustCompile(`\b[a-z_]+_test\.go:[0-9]+`)
	aVersion  = regexp.MustCompile(`(MariaDB|PostgreSQL) [0-9][^ :]*`)
	aHead     = regexp.MustCompile(`(?m)\A.*, pid .*$`)
	aState    = regexp.MustCompile(`\bin [A-Za-z ]+ at compat\.`)
	gaps      = regexp.MustCompile(`   +`)
)

// masked is what the doctor says up to the details of findings, without what is
// another time different: numbers of sessions are given names, and lines theirs.
func (b *blockade) masked(text string) string {
	b.t.Helper()
	text, _, _ = strings.Cut(text, "\nFINDINGS\n")
	text = aDuration.ReplaceAllString(aVersion.ReplaceAllString(text, "$1 V"), "T")
	text = aState.ReplaceAllString(text, "in STATE at compat.")
	text = aHead.ReplaceAllString(text, "PROGRAM, at TIME")
	all, err := places()
	b.must(err)
	text = aLine.ReplaceAllStringFunc(text, func(line string) string {
		for name, f := range all {
			if fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line) == line {
				return "[" + name + "]"
			}
		}
		return line
	})
	for name, id := range map[string]uint64{"ROOT": b.root, "UPDATE1": b.updates[0], "UPDATE2": b.updates[1], "ALTER": b.alter} {
		text = regexp.MustCompile(fmt.Sprintf(`\b%d\b`, id)).ReplaceAllString(text, name)
	}
	return gaps.ReplaceAllString(text, "  ")
}

// wantGolden compares with a file of testdata, or writes it with -update.
func wantGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; make it with go test -update", err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got\n%s", file, got)
	}
}

// The doctor tells of a forgotten transaction that blocks two updates and an
// ALTER, word for word: the line, the sessions, and the statement that helps.
func TestDoctorBlockade(t *testing.T) {
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		account, dsn := b.account(t)
		if b == mysqlBackend {
			b.admin(t, "GRANT PROCESS ON *.* TO "+account)
		}
		b.stock(t)
		a := newApp(t, b, tracker.WithKindThreshold(tracker.KindTx, 50*time.Millisecond))
		c, opts := b.viewable(t, dsn)
		a.source = dsn
		a.view(c, opts...)
		block := newBlockade(a)
		eventually(t, "the transaction is overdue", func() bool { return len(a.tracker.Snapshot().Findings) > 0 })
		var said string
		eventually(t, "it isn't too early to look at the goroutines", func() bool {
			said = a.doctor()
			return !strings.Contains(said, "unknown")
		})
		t.Logf("\n%s", said)
		wantGolden(t, "doctor_"+b.server+".txt", block.masked(said))
		kill := regexp.MustCompile(`(?m)To end it: (.*)$`).FindStringSubmatch(said)
		if kill == nil {
			t.Fatal("no statement ends it")
		}
		block.breakBy(kill[1])
	})
}

// The twin: three transactions at work on rows of their own.
func TestDoctorLookalike(t *testing.T) {
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		b.stock(t)
		a := newApp(t, b)
		c, opts := b.viewable(t, a.source)
		a.view(c, opts...)
		for id := range 3 {
			tx, err := a.db.BeginTx(a.ctx, nil)
			a.must(err)
			defer tx.Rollback()
			_, err = tx.Exec(fmt.Sprintf("UPDATE stock SET n = n - 1 WHERE id = %d", id+1))
			a.must(err)
		}
		said := a.doctor()
		if !strings.Contains(said, "\n- Nothing is the matter: ") || !strings.Contains(said, ": 3 of 3 connections in use, nobody waits for a lock\n") || strings.Contains(said, "to end it") {
			t.Errorf("of a healthy program the doctor says\n%s", said)
		}
	})
}
