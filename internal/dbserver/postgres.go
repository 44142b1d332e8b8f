package dbserver

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"syscall"
)

// postgresReserved is the number of connections kept for superusers.
const postgresReserved = 3

// StartPostgres starts a PostgreSQL server. ctx bounds the start only.
func StartPostgres(ctx context.Context, opts Options) (*Server, error) {
	if opts.MaxConnections < 0 {
		return nil, fmt.Errorf("dbserver: MaxConnections is %d", opts.MaxConnections)
	}
	bin, err := lookPostgres()
	if err != nil {
		return nil, err
	}
	return start(ctx, flavor{
		name:   "PostgreSQL",
		admin:  "postgres",
		users:  []string{"postgres", "nobody"},
		socket: func(port int) string { return ".s.PGSQL." + strconv.Itoa(port) },
		install: func(ctx context.Context, s *Server) error {
			return installPostgres(ctx, s, bin)
		},
		command: func(s *Server, port int) []string {
			return postgresCommand(bin, s.dir, port, opts.MaxConnections)
		},
		ready: func(ctx context.Context, s *Server) error { return postgresExec(ctx, s) },
		setup: setupPostgres,
		dsn: func(s *Server, a Account) string {
			u := url.URL{
				Scheme:   "postgres",
				User:     url.UserPassword(a.User, a.Password),
				Host:     s.Addr,
				Path:     s.Database,
				RawQuery: "sslmode=disable",
			}
			return u.String()
		},
		// Its immediate shutdown. A killed postmaster would leave its busy
		// children running for a while, and a shared memory segment for ever.
		stop: syscall.SIGQUIT,
	}, opts)
}

// installPostgres makes the data directory. The socket, in a directory that
// only the server's user can enter, asks for no password. The port is open to
// all users of this machine and does.
func installPostgres(ctx context.Context, s *Server, bin string) error {
	if err := s.dir.write("password", s.Admin.Password+"\n"); err != nil {
		return err
	}
	return s.dir.run(ctx, filepath.Join(bin, "initdb"), "-D", s.dir.file("data"), "-U", s.Admin.User,
		"--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile="+s.dir.file("password"),
		"-N", "--no-instructions", "--locale=C", "-E", "UTF8")
}

func postgresCommand(bin string, d *tempDir, port, maxConnections int) []string {
	argv := []string{filepath.Join(bin, "postgres"),
		"-D", d.file("data"),
		"-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=" + d.path,
		// No flush to disk. With synchronous_commit=off, a killed server
		// would lose rows; so it does not.
		"-c", "fsync=off",
		"-c", "superuser_reserved_connections=" + strconv.Itoa(postgresReserved),
	}
	if maxConnections > 0 {
		argv = append(argv, "-c", "max_connections="+strconv.Itoa(maxConnections+postgresReserved))
	}
	return argv
}

// setupPostgres makes the application's account and database.
func setupPostgres(ctx context.Context, s *Server) error {
	return postgresExec(ctx, s,
		fmt.Sprintf(`CREATE ROLE "%s" LOGIN PASSWORD '%s'`, s.App.User, s.App.Password),
		fmt.Sprintf(`CREATE DATABASE "%s" OWNER "%s"`, s.Database, s.App.User))
}
