package browsertest

import (
	"bufio"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var readme = flag.String("readme", "", "`directory` for the README's pictures of the demo's page")

// TestReadmePictures takes the README's pictures, if asked to, when the demo
// has found most of what is planted in it: its page, and one of the findings.
//
//	go test -C internal/browsertest -run ReadmePictures -readme ../../testdata/screenshots
func TestReadmePictures(t *testing.T) {
	if *readme == "" {
		t.Skip("-readme says where to")
	}
	url := demo(t)
	const width, height, enough = 1280, 1100, "14"
	for _, picture := range []struct {
		file string
		as   look
	}{{"page.png", light}, {"finding.png", dark}} {
		p := newTab(t, picture.as)
		p.live(url)
		p.wait(`Number(document.querySelector(".counts [data-live=leaked]").textContent) >= ` + enough)
		// Time enough for a curve; then anew, with all that was found since.
		p.wait(`/^([2-9]\ds|.*m)/.test(document.querySelector("header [data-age]").textContent)`)
		at := url
		if picture.file == "finding.png" {
			at += "?id=" + strings.TrimPrefix(eval[string](p, `document.querySelector(".finding").id`), "f-")
		}
		p.live(at)
		file := filepath.Join(*readme, picture.file)
		p.picture(file, width, height)
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 200_000 {
			t.Errorf("%s has %d bytes, which is too much for a README", file, info.Size())
		}
	}
}

// demo starts the demo and returns the address of its page.
func demo(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "demo")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../../cmd/demo", "-buildvcs=false", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), binary, "-addr", "127.0.0.1:0")
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	run.Stderr = os.Stderr
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	url, ended := make(chan string, 1), make(chan bool)
	go func() {
		defer close(ended)
		address := regexp.MustCompile(`http://\S+/debug/dbleaks/`)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if found := address.FindString(lines.Text()); found != "" && len(url) == 0 {
				url <- found
			}
		}
	}()
	t.Cleanup(func() { // the test's context has ended: the demo is interrupted
		<-ended
		run.Wait()
	})
	select {
	case u := <-url:
		return u
	case <-ended:
		t.Fatal("the demo has ended and told no address")
		return ""
	}
}
