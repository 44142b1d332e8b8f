package dbserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// mariadbMinConnections is the least that MariaDB takes; it corrects less
// with no more than a warning.
const mariadbMinConnections = 10

var (
	// Before version 10.5 the programs had the names of MySQL's. MySQL itself
	// has no installer of that name and is not supported.
	mariadbServer    = []string{"mariadbd", "mysqld"}
	mariadbInstaller = []string{"mariadb-install-db", "mysql_install_db"}
	mariadbPackages  = "mariadb-server-core and mariadb-client-core"
)

// StartMariaDB starts a MariaDB server. ctx bounds the start only.
func StartMariaDB(ctx context.Context, opts Options) (*Server, error) {
	if n := opts.MaxConnections; n != 0 && n < mariadbMinConnections {
		return nil, fmt.Errorf("dbserver: MaxConnections is %d: MariaDB takes no less than %d", n, mariadbMinConnections)
	}
	server, err := lookProgram(mariadbServer, mariadbPackages)
	if err != nil {
		return nil, err
	}
	installer, err := lookProgram(mariadbInstaller, mariadbPackages)
	if err != nil {
		return nil, err
	}
	return start(ctx, flavor{
		name:   "MariaDB",
		admin:  "root",
		users:  []string{"mysql", "nobody"},
		socket: func(int) string { return "mysqld.sock" },
		install: func(ctx context.Context, s *Server) error {
			return installMariaDB(ctx, s, installer)
		},
		command: func(s *Server, port int) []string {
			return mariadbCommand(server, s.dir, port, opts.MaxConnections)
		},
		ready: readGreeting,
		dsn: func(s *Server, a Account) string {
			return fmt.Sprintf("%s:%s@tcp(%s)/%s", a.User, a.Password, s.Addr, s.Database)
		},
		// There is nothing to shut down in order: the data goes too.
		stop: os.Kill,
	}, opts)
}

// installMariaDB makes the system tables, and the statements that the server
// runs before it serves anybody. Accounts are made there and not skipped with
// --skip-grant-tables, or privileges and limits would not be real. The port is
// open to all users of this machine: no account that can be used from there
// or from the socket is left without a password.
func installMariaDB(ctx context.Context, s *Server, installer string) error {
	// The server reads one statement a line.
	sql := fmt.Sprintf("CREATE DATABASE `%s`;\nDROP USER IF EXISTS ''@'localhost';\n", s.Database)
	for _, host := range []string{"localhost", "127.0.0.1"} {
		sql += createUser(s.Admin, host, "*.*", "WITH GRANT OPTION")
		sql += createUser(s.App, host, "`"+s.Database+"`.*", "")
	}
	if err := s.dir.write("init.sql", sql); err != nil {
		return err
	}
	return s.dir.run(ctx, installer, "--no-defaults", "--datadir="+s.dir.file("data"),
		"--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=4M")
}

func createUser(a Account, host, object, option string) string {
	name := fmt.Sprintf("'%s'@'%s'", a.User, host)
	return fmt.Sprintf("CREATE OR REPLACE USER %s IDENTIFIED BY '%s';\nGRANT ALL ON %s TO %s %s;\n",
		name, a.Password, object, name, option)
}

// mariadbCommand has no --user: a program that changes its user itself loses
// the signal that ends it with its parent.
func mariadbCommand(server string, d *tempDir, port, maxConnections int) []string {
	argv := []string{server, "--no-defaults",
		"--datadir=" + d.file("data"),
		"--tmpdir=" + d.path,
		"--socket=" + d.file("mysqld.sock"),
		"--pid-file=" + d.file("mysqld.pid"),
		"--init-file=" + d.file("init.sql"),
		"--bind-address=127.0.0.1",
		"--port=" + strconv.Itoa(port),
		"--skip-name-resolve",
		"--character-set-server=utf8mb4",
		"--innodb-buffer-pool-size=32M",
		"--innodb-log-file-size=4M",
		// Not a flush for each commit; 0 would lose rows when it is killed.
		"--innodb-flush-log-at-trx-commit=2",
	}
	if maxConnections > 0 {
		argv = append(argv, "--max-connections="+strconv.Itoa(maxConnections))
	}
	return argv
}

// readGreeting waits for the packet with which the server opens a connection:
// 3 bytes of length, a sequence number, the protocol's version.
func readGreeting(ctx context.Context, s *Server) error {
	conn, done, err := s.dialSocket(ctx)
	if err != nil {
		return err
	}
	defer done()
	var head [5]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return fmt.Errorf("no greeting: %w", err)
	}
	if version := head[4]; version != 10 {
		return errors.New("no greeting of version 10 but " + strconv.Itoa(int(version)))
	}
	return nil
}
