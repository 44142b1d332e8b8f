package compat

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/driverwrap/serverview"
	"github.com/dbleaks-go/dbleaks/internal/dbserver"
)

// view makes the program's pool anew, on the connector, so that its server can
// be looked at.
func (a *app) view(c driver.Connector, opts ...serverview.Option) {
	a.t.Helper()
	a.must(a.db.Close())
	a.conns.Connector = c
	a.db = driverwrap.OpenDB(a.conns, driverwrap.WithTracker(a.tracker), driverwrap.WithName("shop"), serverview.Enable(opts...))
}

// look looks at the program's server, of which it has one.
func (a *app) look(opts ...serverview.LookOption) serverview.Server {
	a.t.Helper()
	v, err := serverview.Look(a.ctx, a.tracker, opts...)
	a.must(err)
	if len(v.Servers) != 1 {
		a.t.Fatalf("%d servers:\n%s", len(v.Servers), v)
	}
	return v.Servers[0]
}

// session is the server's session of a number.
func session(sessions []serverview.Session, id uint64) *serverview.Session {
	i := slices.IndexFunc(sessions, func(s serverview.Session) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	return &sessions[i]
}

// querier is what a number can be asked over.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// id asks the server for the number of a session.
func (a *app) id(q querier) (id uint64) {
	a.t.Helper()
	a.must(q.QueryRowContext(a.ctx, a.session).Scan(&id))
	return id
}

// mysqlConnector changes the data source of an account.
func mysqlConnector(t *testing.T, dsn string, change func(*mysql.Config)) driver.Connector {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(cfg)
	}
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func dialled(cfg *mysql.Config) { cfg.DialFunc = serverview.MySQLDialer(cfg.DialFunc) }

// viewable is the backend's connector for an account, and the options with which
// the numbers of its connections are learned.
func (b *backend) viewable(t *testing.T, dsn string) (driver.Connector, []serverview.Option) {
	t.Helper()
	if b == mysqlBackend {
		return mysqlConnector(t, dsn, dialled), nil
	}
	c, err := b.connector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if b == pqBackend {
		return c, []serverview.Option{serverview.AskID()}
	}
	return c, nil
}

// account makes an account for the test, which may do in the database what the
// application may, and returns its name and data source.
func (b *backend) account(t *testing.T) (account, dsn string) {
	t.Helper()
	s := servers[b.server]
	name := "seer_" + b.name
	of := dbserver.Account{User: name, Password: "open-sesame"}
	if b == mysqlBackend {
		account = fmt.Sprintf("'%s'@'127.0.0.1'", name)
		b.admin(t, fmt.Sprintf("CREATE OR REPLACE USER %s IDENTIFIED BY '%s'", account, of.Password),
			fmt.Sprintf("GRANT ALL ON `%s`.* TO %s", s.Database, account))
		t.Cleanup(func() { b.admin(t, "DROP USER "+account) })
	} else {
		account = name
		b.admin(t, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s' IN ROLE %s", name, of.Password, s.App.User))
		t.Cleanup(func() { b.admin(t, "DROP OWNED BY "+name, "DROP ROLE "+name) })
	}
	return account, strings.NewReplacer(s.App.User+":"+s.App.Password, name+":"+of.Password).Replace(s.DSN)
}

// admin runs statements as the server's administrator.
func (b *backend) admin(t *testing.T, statements ...string) {
	t.Helper()
	db, err := sql.Open(b.driver, servers[b.server].AdminDSN)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// The number that is learned of a connection is what the server says it is, for
// hundreds of connects at a time.
func TestServerViewIDs(t *testing.T) {
	encrypted := secureMariaDB(t)
	type variant struct {
		name    string
		backend *backend
		connect driver.Connector
		opts    []serverview.Option
	}
	plain := servers[mariaDB]
	variants := []variant{
		{"mysql TCP", mysqlBackend, mysqlConnector(t, plain.DSN, dialled), nil},
		{"mysql socket", mysqlBackend, mysqlConnector(t, plain.DSN, func(c *mysql.Config) {
			c.Net, c.Addr = "unix", plain.Socket
			dialled(c)
		}), nil},
		{"mysql compressed", mysqlBackend, mysqlConnector(t, plain.DSN, func(c *mysql.Config) {
			if err := c.Apply(mysql.EnableCompression(true)); err != nil {
				t.Fatal(err)
			}
			dialled(c)
		}), nil},
		{"mysql TLS", mysqlBackend, mysqlConnector(t, encrypted.DSN, func(c *mysql.Config) {
			c.TLSConfig = "skip-verify"
			dialled(c)
		}), nil},
		{"mysql asked", mysqlBackend, mysqlConnector(t, plain.DSN, nil), []serverview.Option{serverview.AskID()}},
	}
	for _, b := range []*backend{pgxBackend, pqBackend} {
		c, opts := b.viewable(t, servers[b.server].DSN)
		variants = append(variants, variant{b.name, b, c, opts})
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			a := newApp(t, v.backend)
			a.view(v.connect, v.opts...)
			a.db.SetMaxIdleConns(-1)
			for range 5 {
				a.wantIDs(60)
			}
			if n := len(a.tracker.Connections()); n != 256 {
				t.Errorf("%d closed connections are remembered, want the latest 256 of 300", n)
			}
		})
	}
}

// wantIDs opens connections and compares the numbers, one by one, with what the
// server says on each.
func (a *app) wantIDs(n int) {
	a.t.Helper()
	var mu sync.Mutex
	want := make(map[string]uint64)
	var conns []*sql.Conn
	var opening sync.WaitGroup
	for i := range n {
		opening.Go(func() {
			name := fmt.Sprint("caller ", i)
			ctx, end := a.tracker.Scope(a.ctx, name)
			defer end()
			conn, err := a.db.Conn(ctx)
			if err != nil {
				a.t.Error(err)
				return
			}
			var id uint64
			err = conn.QueryRowContext(a.ctx, a.session).Scan(&id)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				a.t.Error(err)
			}
			conns, want[name] = append(conns, conn), id
		})
	}
	opening.Wait()
	found := 0
	for _, c := range a.tracker.Connections() {
		if !c.ClosedAt.IsZero() {
			continue
		}
		if len(c.Findings) != 1 || want[c.Findings[0].Scope] != c.ID {
			a.t.Errorf("connection %d is held by %+v", c.ID, c.Findings)
		}
		found++
	}
	if found != n {
		a.t.Errorf("%d of %d numbers were learned", found, n)
	}
	for _, c := range conns {
		a.must(c.Close())
	}
}

// An idle pool has nothing to show; and a look leaves nothing behind.
func TestServerViewQuiet(t *testing.T) {
	onEach(t, serverBackends, func(t *testing.T, b *backend) {
		a := newApp(t, b)
		c, opts := b.viewable(t, a.source)
		a.view(c, opts...)
		a.must(a.db.Ping())
		s := a.look()
		if len(s.Sessions)+len(s.Orphans) > 0 || s.Open != 1 || s.InUse != 0 || len(s.Notices) > 1 {
			t.Errorf("view of an idle pool:\n%s", s)
		}
		if want := map[*backend]string{mysqlBackend: "MariaDB"}[b]; want == "" && s.Kind != "PostgreSQL" || want != "" && s.Kind != want {
			t.Errorf("the server is %q, %q", s.Kind, s.Version)
		}
		if n := a.db.Stats().OpenConnections; n != 1 {
			t.Errorf("the pool has %d connections after a look, want 1", n)
		}
		a.verify()
	})
}
