package dbserver

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestCloseLeavesNothing(t *testing.T) {
	for _, s := range []*Server{startMariaDB(t, Options{}), startPostgres(t, Options{})} {
		conn, err := net.Dial("unix", s.Socket) // a client does not delay it
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left := processesIn(t, s.dir.path); len(left) > 0 {
			t.Errorf("%s: processes left after Close: %v", s.Name, left)
		}
		if _, err := os.Stat(s.dir.path); !os.IsNotExist(err) {
			t.Errorf("%s: directory left after Close: %v", s.Name, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: second Close: %v", s.Name, err)
		}
	}
	eventually(t, "no goroutine of a server", func() bool {
		stacks := make([]byte, 1<<20)
		return !strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "dbserver.startProcess")
	})
}

// childEnv makes this test binary the child of TestKilledParent.
const childEnv = "DBLEAKS_TEST_START_SERVERS"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		startAndHang()
	}
	os.Exit(m.Run())
}

// startAndHang starts both servers, prints their directories, and waits to be
// killed.
func startAndHang() {
	for _, start := range []func(context.Context, Options) (*Server, error){StartMariaDB, StartPostgres} {
		s, err := start(context.Background(), Options{})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(s.dir.path)
	}
	fmt.Println("ready")
	select {}
}

func TestKilledParent(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	var dirs []string
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "ready" {
		dirs = append(dirs, lines.Text())
	}
	if len(dirs) != 2 || !filepath.IsAbs(dirs[0]) {
		t.Fatalf("the child started no servers: %s", strings.Join(dirs, "\n"))
	}
	for _, dir := range dirs {
		if len(processesIn(t, dir)) == 0 {
			t.Errorf("no server runs in %s", dir)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("the child ended with %v", err)
	}
	for _, dir := range dirs {
		eventually(t, "no server runs in "+dir, func() bool { return len(processesIn(t, dir)) == 0 })
		removeStale()
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("a killed process's directory is not removed: %v", err)
		}
	}
}

func TestRemoveStaleSparesTheLiving(t *testing.T) {
	s := startMariaDB(t, Options{})
	removeStale()
	if _, err := os.Stat(s.Socket); err != nil {
		t.Error(err)
	}
}

// processesIn lists the processes that work in a directory or have it on
// their command line.
func processesIn(t *testing.T, dir string) []string {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, proc := range procs {
		// Errors are those of processes that ended meanwhile.
		cwd, _ := os.Readlink(filepath.Join(proc, "cwd"))
		cmdline, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
		if strings.HasPrefix(cwd, dir) || bytes.Contains(cmdline, []byte(dir)) {
			found = append(found, fmt.Sprintf("%s %q", proc, cmdline))
		}
	}
	return found
}
