package orm

import (
	"context"
	"fmt"
	"os"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"go.uber.org/goleak"

	"github.com/dbleaks-go/dbleaks/internal/dbserver"
)

// backend is a driver, as registered, and what it connects to.
type backend struct {
	driver string
	dsn    string // empty for a database in a file
}

// The servers run as long as the tests.
var (
	mysqlBackend = &backend{driver: "mysql"}
	pgxBackend   = &backend{driver: "pgx"}
	pqBackend    = &backend{driver: "postgres"}
)

// TestMain runs the tests with one server of each kind, and fails if a
// goroutine is left when all is over.
func TestMain(m *testing.M) {
	code, err := runWithServers(m)
	if err == nil {
		// gorm's cache of statements never ends its goroutine.
		err = goleak.Find(goleak.IgnoreAnyFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func runWithServers(m *testing.M) (code int, err error) {
	for _, s := range []struct {
		start func(context.Context, dbserver.Options) (*dbserver.Server, error)
		of    []*backend
	}{
		{dbserver.StartMariaDB, []*backend{mysqlBackend}},
		{dbserver.StartPostgres, []*backend{pgxBackend, pqBackend}},
	} {
		server, err := s.start(context.Background(), dbserver.Options{})
		if err != nil {
			return 1, err
		}
		defer func() {
			if err := server.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = max(code, 1)
			}
		}()
		for _, b := range s.of {
			b.dsn = server.DSN
		}
	}
	dsn, stop, err := startMSSQL(context.Background())
	if err != nil {
		return 1, err
	}
	defer func() {
		if err := stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}()
	mssqlBackend.dsn = dsn
	return m.Run(), nil
}
