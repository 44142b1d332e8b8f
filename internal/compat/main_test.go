package compat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"

	"github.com/dbleaks-go/dbleaks/internal/dbserver"
)

// TestMain runs the tests with one server of each kind, and fails if a
// goroutine is left when all is over.
func TestMain(m *testing.M) {
	// It tells every connection that the tests break.
	if err := mysql.SetLogger(&mysql.NopLogger{}); err != nil {
		panic(err)
	}
	code, err := runWithServers(m)
	for _, end := range atEnd {
		err = errors.Join(err, end())
	}
	if err == nil {
		err = goleak.Find()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// atEnd is what is to be done when all tests are over.
var atEnd []func() error

// maxConnections is more than all leaks take that there are at once.
const maxConnections = 500

func runWithServers(m *testing.M) (code int, err error) {
	ctx := context.Background()
	for _, start := range []func(context.Context, dbserver.Options) (*dbserver.Server, error){
		dbserver.StartMariaDB, dbserver.StartPostgres,
	} {
		s, err := start(ctx, dbserver.Options{MaxConnections: maxConnections})
		if err != nil {
			return 1, err
		}
		defer func() {
			if err := s.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = max(code, 1)
			}
		}()
		servers[s.Name] = s
	}
	for _, b := range backends {
		if err := b.prepare(ctx); err != nil {
			return 1, fmt.Errorf("prepare %s: %w", b.name, err)
		}
	}
	return m.Run(), nil
}
