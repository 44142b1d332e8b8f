package dbserver

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// startMariaDB and startPostgres fail a test if the server is not installed:
// the error says what to install.
func startMariaDB(t *testing.T, opts Options) *Server {
	t.Helper()
	return started(t)(StartMariaDB(t.Context(), opts))
}

func startPostgres(t *testing.T, opts Options) *Server {
	t.Helper()
	return started(t)(StartPostgres(t.Context(), opts))
}

func started(t *testing.T) func(*Server, error) *Server {
	return func(s *Server, err error) *Server {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
}

// eventually polls a condition.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for deadline := time.Now().Add(time.Minute); !cond(); <-retry.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func openMySQL(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestMariaDBAccounts(t *testing.T) {
	s := startMariaDB(t, Options{})
	_, database, _ := strings.Cut(s.DSN, "/")
	socket := "app:" + s.App.Password + "@unix(" + s.Socket + ")/" + database
	for name, dsn := range map[string]string{"app": s.DSN, "socket": socket, "admin": s.AdminDSN} {
		db := openMySQL(t, dsn)
		var got string
		if err := db.QueryRow("SELECT DATABASE()").Scan(&got); err != nil || got != s.Database {
			t.Errorf("%s: database %q, %v", name, got, err)
		}
	}
	if _, err := openMySQL(t, s.DSN).Exec("CREATE TABLE t (id INT) ENGINE=InnoDB"); err != nil {
		t.Errorf("app can't create a table: %v", err)
	}
	const denied = 1045
	for _, user := range []string{"root", "", "app"} {
		wantMySQLError(t, openMySQL(t, user+"@tcp("+s.Addr+")/").Ping(), denied)
	}
	const noPrivilege = 1227
	_, err := openMySQL(t, s.DSN).Exec("SET GLOBAL max_connections = 10")
	wantMySQLError(t, err, noPrivilege)
}

func TestMariaDBMaxConnections(t *testing.T) {
	s := startMariaDB(t, Options{MaxConnections: 10})
	db := openMySQL(t, s.DSN)
	for range 10 {
		c, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	const tooMany = 1040
	wantMySQLError(t, db.Ping(), tooMany)
	// The refused connection needs the administrator's place for a moment.
	admin := openMySQL(t, s.AdminDSN)
	eventually(t, "a place for the administrator", func() bool { return admin.Ping() == nil })
}

func wantMySQLError(t *testing.T, err error, number uint16) {
	t.Helper()
	if e := new(mysql.MySQLError); !errors.As(err, &e) || e.Number != number {
		t.Errorf("got error %v, want %d", err, number)
	}
}

func TestPostgresAccounts(t *testing.T) {
	s := startPostgres(t, Options{})
	app := s.session(t, s.App.User)
	if err := pgRoundTrip(app, pgMessage([]byte{'Q'}, []byte("CREATE TABLE t (id int)\x00"))); err != nil {
		t.Errorf("app can't create a table: %v", err)
	}
	err := pgRoundTrip(app, pgMessage([]byte{'Q'}, []byte("CREATE ROLE other\x00")))
	wantSQLState(t, err, "42501")

	// Over TCP it asks for a password by SASL, the method with number 10.
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = pgConnect(conn, s.Admin.User, "postgres")
	if err == nil || !strings.Contains(err.Error(), "password (method 10)") {
		t.Errorf("connecting without a password: %v", err)
	}
}

func TestPostgresMaxConnections(t *testing.T) {
	s := startPostgres(t, Options{MaxConnections: 2})
	s.session(t, s.App.User)
	s.session(t, s.App.User)
	conn, done, err := s.dialSocket(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	wantSQLState(t, pgConnect(conn, s.App.User, s.Database), "53300")
	s.session(t, s.Admin.User)
}

// session connects to the server's database for the time of a test.
func (s *Server) session(t *testing.T, user string) net.Conn {
	t.Helper()
	conn, done, err := s.dialSocket(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	if err := pgConnect(conn, user, s.Database); err != nil {
		t.Fatal(err)
	}
	return conn
}

func wantSQLState(t *testing.T, err error, state string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "(SQLSTATE "+state+")") {
		t.Errorf("got error %v, want SQLSTATE %s", err, state)
	}
}

// A server that ended before it was closed must not look like one that worked.
func TestCloseReportsCrash(t *testing.T) {
	s, err := StartMariaDB(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.proc.proc.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.proc.done
	err = s.Close()
	if err == nil || !strings.Contains(err.Error(), "Shutdown complete") {
		t.Errorf("Close of a server that ended: %v", err)
	}
}

func TestStartErrors(t *testing.T) {
	temp, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o711); err != nil { // the servers' users come by
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temp)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name  string
		start func(context.Context, Options) (*Server, error)
		ctx   context.Context
		opts  Options
		want  string
	}{
		{"MariaDB limit", StartMariaDB, t.Context(), Options{MaxConnections: 9}, "MaxConnections is 9"},
		{"PostgreSQL limit", StartPostgres, t.Context(), Options{MaxConnections: -1}, "MaxConnections is -1"},
		{"MariaDB argument", StartMariaDB, t.Context(), Options{Args: []string{"--no-such-thing"}}, "unknown option '--no-such-thing'"},
		{"PostgreSQL argument", StartPostgres, t.Context(), Options{Args: []string{"-c", "no_such=1"}}, `unrecognized configuration parameter "no_such"`},
		{"MariaDB context", StartMariaDB, canceled, Options{}, "context canceled"},
		{"PostgreSQL context", StartPostgres, canceled, Options{}, "context canceled"},
	}
	for _, tt := range tests {
		s, err := tt.start(tt.ctx, tt.opts)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got error %v, want one with %q", tt.name, err, tt.want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(temp, "*")); len(left) > 0 {
		t.Errorf("failed starts left %v", left)
	}
}

// Root's servers run as other users, who can't enter a directory of root's.
func TestPrivateTempDir(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s, err := StartMariaDB(t.Context(), Options{})
	if err == nil {
		err = s.Close()
	}
	if os.Geteuid() != 0 {
		if err != nil {
			t.Error(err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("got error %v, want one that names TMPDIR", err)
	}
}

func TestNotInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	defer func(sbin, postgres []string) { sbinDirs, postgresDirs = sbin, postgres }(sbinDirs, postgresDirs)
	sbinDirs, postgresDirs = []string{t.TempDir()}, []string{t.TempDir()}
	_, errMariaDB := StartMariaDB(t.Context(), Options{})
	_, errPostgres := StartPostgres(t.Context(), Options{})
	for err, want := range map[error][]string{
		errMariaDB:  {"mariadbd or mysqld", "PATH", sbinDirs[0], "mariadb-server-core"},
		errPostgres: {"initdb", "PATH", postgresDirs[0], "install postgresql"},
	} {
		if !errors.Is(err, ErrNotInstalled) {
			t.Errorf("got error %v, want ErrNotInstalled", err)
			continue
		}
		for _, text := range want {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("error %q does not name %q", err, text)
			}
		}
	}
}
