package promtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// client keeps no connection open.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

// prometheus is a running server.
type prometheus struct {
	t   *testing.T
	url string
	log string // its file
}

// startPrometheus starts one that scrapes target, a URL, five times a second,
// and evaluates the rules, for as long as the test runs.
func startPrometheus(t *testing.T, target, rules string) *prometheus {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "rules.yml", rules)
	write(t, dir, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}
rule_files: [rules.yml]
scrape_configs:
  - job_name: shop
    metrics_path: %s
    static_configs: [{targets: ['%s']}]
`, u.Path, u.Host))
	p := &prometheus{t: t, log: filepath.Join(dir, "log")}
	for range 3 { // another process may take the port before it does
		address := freeAddress(t)
		p.url = "http://" + address
		ended := p.run(dir, address)
		if p.ready(ended) {
			return p
		}
	}
	t.Fatal("Prometheus doesn't start:\n" + p.logged())
	return nil
}

// run starts the program, which ends with the test. The shell ends it also if
// this process is killed: then the shell's input is at its end.
func (p *prometheus) run(dir, address string) (ended chan struct{}) {
	p.t.Helper()
	cmd := exec.Command("sh", "-c", `"$@" & read -r _; kill -9 $!; wait`, "sh", program(p.t, "prometheus"),
		"--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address)
	log, err := os.Create(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	input, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() // it was killed
	}()
	p.t.Cleanup(func() {
		input.Close()
		<-ended
	})
	return ended
}

// ready waits until the server answers, and is false if it can't.
func (p *prometheus) ready(ended chan struct{}) bool {
	failed := func() bool { return strings.Contains(p.logged(), "level=error") }
	for tries := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-ended:
			return false
		case <-p.t.Context().Done():
			return false
		case <-tries.C:
		}
		resp, err := client.Get(p.url + "/-/ready")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				tries.Stop()
				return !failed()
			}
		}
		if failed() {
			tries.Stop()
			return false
		}
	}
}

func (p *prometheus) logged() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// sample is one answer to a query.
type sample struct {
	Metric map[string]string
	Value  [2]any // the time, and the number as a string
}

func (s sample) number() string { return fmt.Sprint(s.Value[1]) }

// query asks until there is an answer that will do.
func (p *prometheus) query(expr string, will func([]sample) bool) []sample {
	p.t.Helper()
	var last []sample
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		var answer struct {
			Status, Error string
			Data          struct{ Result []sample }
		}
		p.get("/api/v1/query?query="+url.QueryEscape(expr), &answer)
		if answer.Status != "success" {
			p.t.Fatalf("%s: %s", expr, answer.Error)
		}
		if last = answer.Data.Result; will(last) {
			return last
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-p.t.Context().Done():
		}
	}
	p.t.Fatalf("%s gives %v", expr, last)
	return nil
}

func (p *prometheus) get(path string, into any) {
	p.t.Helper()
	resp, err := client.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		p.t.Fatal(err)
	}
}

// promtool runs the tool and fails the test if it finds fault.
func promtool(t *testing.T, input io.Reader, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "promtool"), args...)
	cmd.Stdin = input
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// program finds a program, or fails: a test that is skipped finds nothing.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; internal/tools/install.sh installs it", err)
	}
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
