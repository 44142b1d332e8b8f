package dbserver

import (
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

var (
	// sbinDirs are missing from the PATH of many accounts.
	sbinDirs = []string{"/usr/sbin", "/usr/local/sbin"}
	// postgresDirs are where distributions keep PostgreSQL's server programs
	// of all versions, outside of PATH.
	postgresDirs = []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql@*/bin"}
)

// notInstalled says what was looked for and what would install it.
func notInstalled(programs, dirs []string, packages string) error {
	return fmt.Errorf("dbserver: %w: no %s in PATH, %s; on Debian install %s", ErrNotInstalled,
		strings.Join(programs, " or "), strings.Join(dirs, ", "), packages)
}

// lookProgram finds the first of the programs that there is.
func lookProgram(names []string, packages string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
		for _, dir := range sbinDirs {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path, nil
			}
		}
	}
	return "", notInstalled(names, sbinDirs, packages)
}

// lookPostgres finds the directory of PostgreSQL's programs, which need each
// other: PATH may have some or links to some.
func lookPostgres() (string, error) {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	for _, pattern := range postgresDirs {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		if isProgram(filepath.Join(dir, "initdb")) && isProgram(filepath.Join(dir, "postgres")) {
			return filepath.Abs(dir)
		}
	}
	return "", notInstalled([]string{"initdb with postgres beside it"}, postgresDirs, "postgresql")
}

func isProgram(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}

// version is the number in a path, or 0.
func version(path string) int {
	digits := strings.FieldsFunc(path, func(r rune) bool { return r < '0' || r > '9' })
	if len(digits) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(digits[0]) // a huge one sorts last
	return n
}

// lookupUser returns the ids of the first of the users that exists.
func lookupUser(names []string) (uid, gid int, err error) {
	for _, name := range names {
		u, err := user.Lookup(name)
		if errors.As(err, new(user.UnknownUserError)) {
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		return uid, gid, errors.Join(errUID, errGID)
	}
	return 0, 0, fmt.Errorf("none of the users %s exists, and the server refuses to run as root",
		strings.Join(names, ", "))
}
