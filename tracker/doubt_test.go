package tracker_test

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbleaks-go/dbleaks/tracker"
)

// TestMayHave: who may have been handed a handle that was opened two minutes
// ago.
func TestMayHave(t *testing.T) {
	const (
		work   = "main.work(0xc000012345)\n\t/src/main.go:12 +0x1d"
		read   = "internal/poll.(*FD).Read(0xc0000b8000)\n\t%[1]s/internal/poll/fd_unix.go:165 +0x27"
		accept = "net.(*netFD).accept(0xc000148380)\n\t%[1]s/net/fd_unix.go:161 +0x28\nmain.main()\n\t/src/main.go:5 +0x1d"
		byApp  = "\ncreated by main.main in goroutine 1\n\t/src/main.go:7 +0x1d"
		byHTTP = "\ncreated by net/http.(*Server).Serve in goroutine 1\n\t%[1]s/net/http/server.go:3454 +0x485"
	)
	for _, tt := range []struct {
		name, state, stack string
		want               bool
	}{
		{"a worker that sleeps", "sleep", work + byApp, true},
		{"a worker that runs", "running", work + byApp, true},
		{"a worker that has waited for less than the handle is open", "chan receive, 1 minutes", work + byApp, true},
		{"a handler of a request", "select", work + byHTTP, true},

		{"a worker that has waited for as long as the handle is open", "chan receive, 2 minutes", work + byApp, false},
		{"a worker that waits for ever", "select (no cases)", work + byApp, false},
		{"a worker that was proven to", "chan receive (leaked)", work + byApp, false},
		{"a connection on which no request is", "IO wait", read + byHTTP, false},
		{"dbleaks, which looks for a proof", "chan receive", "github.com/dbleaks-go/dbleaks/internal/reach.await(0xc1)\n\t/src/dbleaks/reach.go:12 +0x1d" + byApp, false},
		{"the page of dbleaks", "select", "github.com/dbleaks-go/dbleaks/httpdebug.(*handler).diagnose(0xc1)\n\t/src/dbleaks/formats.go:12 +0x1d" + byHTTP, false},
		{"a server that waits for connections", "IO wait", accept, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.ReplaceAll(fmt.Sprintf("goroutine 7 [%s]:\n%s\n", tt.state, tt.stack), "%[1]s", goRoot()+"/src")
			if got := slices.Contains(tracker.MayHave(must[*tracker.Tracker](t)(tracker.New()), text, 2*time.Minute), 7); got != tt.want {
				t.Errorf("%v, want %v, of\n%s", got, tt.want, text)
			}
		})
	}
}

// goRoot is where the standard library's files were when the test was built.
func goRoot() string {
	f := runtime.FuncForPC(reflect.ValueOf(runtime.GC).Pointer())
	file, _ := f.FileLine(f.Entry())
	root, _, _ := strings.Cut(file, "/src/runtime/")
	return root
}
