package repo

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/dbleaks-go/dbleaks"
	goid   = "github.com/petermattis/goid"
	root   = "../.." // from this package's directory
)

// goCommand runs the go command in the root of the repository.
func goCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	return out
}

// listed is what is used of the go command's answer.
type listed struct {
	ImportPath string
	Standard   bool
}

// dependencies lists all packages that a program links if it imports the
// given ones of this module.
func dependencies(t *testing.T, packages ...string) []listed {
	t.Helper()
	args := []string{"list", "-deps", "-json=ImportPath,Standard"}
	for _, p := range packages {
		args = append(args, "./"+p)
	}
	var deps []listed
	for dec := json.NewDecoder(bytes.NewReader(goCommand(t, args...))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return deps
		} else if err != nil {
			t.Fatal(err)
		}
		deps = append(deps, p)
	}
}

func TestImports(t *testing.T) {
	tests := []struct {
		packages []string
		own      []string // what of this module may be linked besides internal/
		foreign  []string // which other packages
		not      []string // what may not be, of the standard library
	}{
		{
			packages: []string{"tracker"},
			own:      []string{"tracker"},
			foreign:  []string{goid},
		}, {
			// Who watches a database links no HTTP, templates, profiles,
			// logging or drivers.
			packages: []string{"driverwrap", "tracker"},
			own:      []string{"driverwrap", "tracker"},
			foreign:  []string{goid},
			not:      []string{"net/http", "html/template", "text/template"},
		}, {
			// Who looks at the server's side links no driver for it.
			packages: []string{"driverwrap/serverview"},
			own:      []string{"driverwrap", "driverwrap/serverview", "tracker"},
			foreign:  []string{goid},
			not:      []string{"net/http", "html/template", "text/template"},
		}, {
			packages: []string{"httpdebug"},
			own:      []string{"httpdebug", "tracker"},
			foreign:  []string{goid, "github.com/google/pprof/profile"},
		}, {
			packages: []string{"tracker/leaklog"},
			own:      []string{"tracker/leaklog", "tracker"},
			foreign: []string{goid, "github.com/rs/zerolog", "github.com/rs/zerolog/internal/cbor",
				"github.com/rs/zerolog/internal/json", "github.com/mattn/go-colorable",
				"github.com/mattn/go-isatty", "golang.org/x/sys/unix"},
			not: []string{"net/http", "html/template", "text/template"},
		},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.packages, "+"), func(t *testing.T) {
			for _, dep := range dependencies(t, tt.packages...) {
				own, isOwn := strings.CutPrefix(dep.ImportPath, module+"/")
				switch {
				case dep.Standard:
					if slices.Contains(tt.not, dep.ImportPath) {
						t.Errorf("links %s", dep.ImportPath)
					}
				case isOwn:
					if !strings.HasPrefix(own, "internal/") && !slices.Contains(tt.own, own) {
						t.Errorf("links %s", own)
					}
				case !slices.Contains(tt.foreign, dep.ImportPath):
					t.Errorf("links %s", dep.ImportPath)
				}
			}
		})
	}
}

// A replace in the root module would break `go install …@version`.
func TestNoReplace(t *testing.T) {
	var mod struct{ Replace []json.RawMessage }
	if err := json.Unmarshal(goCommand(t, "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Replace {
		t.Errorf("go.mod has a replace: %s", r)
	}
}
