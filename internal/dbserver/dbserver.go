// Package dbserver starts private database servers for tests and the demo.
//
// A server lives in a temporary directory of its own, listens on a random
// loopback port and on a Unix socket in that directory, and is gone with its
// data after [Server.Close]. On Linux it also ends with the process that
// started it, even if that one is killed: the kernel sees to it. The directory
// of a killed process is removed when the next server is started.
//
// The package knows no database driver: it hands out addresses, accounts and
// data source names.
package dbserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// ErrNotInstalled is wrapped by the error of a start that failed because this
// machine has no such server. The error's text says which programs were looked
// for, where, and how to install them.
var ErrNotInstalled = errors.New("database server not installed")

// startTimeout bounds a start whose context has no deadline. A server is up
// within a second; the rest is for loaded machines.
const startTimeout = 2 * time.Minute

// Options adjust a server. The zero value is a server with its own defaults.
type Options struct {
	// MaxConnections limits the connections of ordinary accounts, so that
	// tests can meet the limit; 0 leaves it to the server, which allows 100
	// or more. MariaDB takes no limit below 10. Each server has a few more
	// places for its administrator.
	MaxConnections int
	// Args are further arguments of the server's command line.
	Args []string
}

// Account is a user of a server.
type Account struct {
	User, Password string
}

// Server is a running private server. Its fields are not to be changed.
type Server struct {
	Name     string // "MariaDB" or "PostgreSQL"
	Addr     string // TCP address: "127.0.0.1:" and a random port
	Socket   string // path of the Unix socket
	Database string // name of an empty database, which App owns
	App      Account
	Admin    Account // may do everything
	// DSN is App's data source name for the server's Go drivers: MariaDB's
	// for github.com/go-sql-driver/mysql, PostgreSQL's a URL. AdminDSN is
	// Admin's, for the same database.
	DSN, AdminDSN string

	dir       *tempDir
	proc      *process
	stop      os.Signal // what ends the server at once
	closeOnce sync.Once
	closeErr  error
}

// Close ends the server at once, without regard to its clients, and removes
// its directory. It returns an error, with the end of the server's log, if the
// server had already exited on its own. Further calls return the same.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		var died error
		if s.proc.exited() {
			died = fmt.Errorf("dbserver: %s exited before it was closed: %v%s", s.Name, s.proc.err, s.dir.logTail())
		}
		s.closeErr = errors.Join(died, s.proc.kill(s.stop), s.dir.remove())
	})
	return s.closeErr
}

// flavor is what tells one kind of server from another.
type flavor struct {
	name  string
	admin string // the administrator's account
	// users are the accounts to run as, in order of preference, when this
	// process is root's: the servers refuse root.
	users []string
	// socket is the name of the Unix socket in the directory, given a port.
	socket func(port int) string
	// install fills the directory. command is the server's command line.
	install func(context.Context, *Server) error
	command func(s *Server, port int) []string
	// ready tells whether the server answers, asked through its Unix socket.
	ready func(context.Context, *Server) error
	// setup, if any, does what install could not do without a server.
	setup func(context.Context, *Server) error
	dsn   func(*Server, Account) string
	stop  os.Signal // ends the server at once
}

// start runs the server that f describes. On failure nothing is left of it.
func start(ctx context.Context, f flavor, opts Options) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if !supported {
		return nil, fmt.Errorf("dbserver: %w: private servers need a Unix system", ErrNotInstalled)
	}
	removeStale()
	dir, err := newTempDir(f.users)
	if err != nil {
		return nil, fmt.Errorf("dbserver: directory for %s: %w", f.name, err)
	}
	s := &Server{
		Name:     f.name,
		Database: "dbleaks",
		App:      Account{"app", rand.Text()},
		Admin:    Account{f.admin, rand.Text()},
		dir:      dir,
		stop:     f.stop,
	}
	if err := s.up(ctx, f, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("dbserver: start %s: %w", f.name, err), dir.remove())
	}
	return s, nil
}

// up installs the server and runs it. The port is free when it is chosen, but
// another process can take it before the server does: then try another.
func (s *Server) up(ctx context.Context, f flavor, opts Options) error {
	if err := f.install(ctx, s); err != nil {
		return err
	}
	for try := 1; ; try++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		s.Addr = fmt.Sprintf("127.0.0.1:%d", port)
		s.Socket = filepath.Join(s.dir.path, f.socket(port))
		s.proc, err = s.dir.start(append(f.command(s, port), opts.Args...), f.stop)
		if err != nil {
			return err
		}
		err = s.awaitReady(ctx, f)
		if err == nil && f.setup != nil {
			err = f.setup(ctx, s)
		}
		if err == nil {
			s.DSN, s.AdminDSN = f.dsn(s, s.App), f.dsn(s, s.Admin)
			return nil
		}
		tail := s.dir.logTail()
		if err := s.proc.kill(f.stop); err != nil {
			return err
		}
		if try == 3 || !addressInUse(tail) {
			return fmt.Errorf("%w%s", err, tail)
		}
	}
}

// awaitReady asks the server until it answers. It asks through the Unix
// socket, because another server may have got the port.
func (s *Server) awaitReady(ctx context.Context, f flavor) error {
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		err := f.ready(ctx, s)
		if err == nil {
			return nil
		}
		select {
		case <-retry.C:
		case <-s.proc.done:
			return fmt.Errorf("it exited before it answered: %v", s.proc.err)
		case <-ctx.Done():
			return fmt.Errorf("%w; it last answered: %w", ctx.Err(), err)
		}
	}
}

// dialSocket connects to the server's Unix socket. The connection is broken
// when ctx ends; done gives both up.
func (s *Server) dialSocket(ctx context.Context) (conn net.Conn, done func(), err error) {
	conn, err = new(net.Dialer).DialContext(ctx, "unix", s.Socket)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return conn, func() { stop(); conn.Close() }, nil
}
